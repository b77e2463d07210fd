"""What a caller may tell the readers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LightFieldError
from ..lenslets.bayer import check_pattern
from ..light_field import TRANSFERS

FLIPS = ("none", "rows", "columns", "both")
COLOURS = ("metadata", "camera")
ORDERS = ("rows", "columns", "lawn-mower")


class _RowsAndColumns:
    """A field that takes one number for both, or a pair, and gives the pair; None: not given."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> tuple[int, int] | None:
        return None if instance is None else vars(instance)[self._name]

    def __set__(self, instance: Any, value: int | tuple[int, int] | None) -> None:
        if value is not None:
            rows, columns = (value, value) if isinstance(value, int) else value
            if rows < 1 or columns < 1:
                raise LightFieldError(f"{self._name}: got {rows}x{columns}, want at least 1x1")
            value = rows, columns
        vars(instance)[self._name] = value


@dataclass(frozen=True)
class ReadOptions:
    """How a light field is read; ``read_light_field`` takes each of these by name.

    What the files tell need not be told. An option that a format does not take is an error, but for ``lenslet``: one
    call may read many light fields, of which some are behind lenslets.

    Attributes:
        format: a name in ``FORMATS``; None: found by looking.
        pattern: for ``grid``, which it implies, a regular expression with groups ``row`` and ``col`` that matches a
            whole name without its suffix; other files are left out.
        lenslet: for ``eslf``, which it implies for a picture, rows and columns of pixels below a lenslet, which are
            those of views. None: 14, but 15 where only that divides the picture and the name says ``eslf``. For
            ``raw-lenslet``, how many views to sample; None: the lenslets' pitch, rounded.
        views: keep only the central ones, rows and columns; the others are not decoded. None: all.
        flip: for formats with no fixed order of views, turn the order of ``rows``, ``columns`` or ``both``.
        rows, columns: keep only these of the views (after ``views``); slices without step. The others are not decoded.
        crop: ``(y, x, height, width)`` in pixels, the same in every view.
        grid: rows and columns of views, where the names do not tell them; it implies ``sequence`` for a folder of
            pictures and ``mosaic`` for a picture.
        order: for ``sequence``: ``rows``, ``columns``, or ``lawn-mower`` (rows, the first from right to left, then in
            turns).
        dataset: the name of the array or variable, for the formats of one file of arrays.
        axes: its axes in order, letters of ``vuyxc`` (view row, view column, y, x, channel), where they are unusual.
        transfer: ``srgb`` or ``linear``, where it is not what the format says.
        calibration: a file of a homography per view, which rectifies them: JSON or NPZ, see ``docs/formats.md``.
        white: for ``lfp``, calibration folder of the camera, one ``.RAW`` file of it, or a white picture; for
            ``raw-lenslet``, which it implies for a picture, the white picture, where it is not beside the capture.
        pitch: of lenslets in pixels, for ``lfp`` and ``raw-lenslet``, where it is not found by itself.
        bayer: for ``raw-lenslet``, the pattern of a colour sensor, its upper left 2x2 pixels: ``RGGB``, ``GRBG``,
            ``GBRG`` or ``BGGR``. None: grey.
        colours: for ``lfp``, ``metadata`` (white balance and matrix of the picture: linear sRGB) or ``camera`` (those
            of the sensor).

    Raises:
        LightFieldError: ``flip``, ``order``, ``transfer``, ``bayer`` or ``colours`` is none of its choices, a pair has
            a number below 1, or ``pitch`` is none above it.
    """

    format: str | None = None
    pattern: str | None = None
    lenslet: _RowsAndColumns = _RowsAndColumns()
    views: _RowsAndColumns = _RowsAndColumns()
    flip: str = "none"
    rows: slice | None = None
    columns: slice | None = None
    crop: tuple[int, int, int, int] | None = None
    grid: _RowsAndColumns = _RowsAndColumns()
    order: str = "rows"
    dataset: str | None = None
    axes: str | None = None
    transfer: str | None = None
    calibration: str | Path | None = None
    white: str | Path | None = None
    pitch: float | None = None
    bayer: str | None = None
    colours: str = "metadata"

    def __post_init__(self) -> None:
        for name, got, wanted in (
            ("flip", self.flip, FLIPS),
            ("order", self.order, ORDERS),
            ("colours", self.colours, COLOURS),
        ):
            if got not in wanted:
                raise LightFieldError(f"{name}: got {got!r}, want one of {', '.join(wanted)}")
        if self.transfer not in (None, *TRANSFERS):
            raise LightFieldError(f"transfer: got {self.transfer!r}, want 'srgb' or 'linear'")
        if self.pitch is not None and not 1 < self.pitch < float("inf"):
            raise LightFieldError(f"pitch: got {self.pitch}, want pixels from a lenslet to the next, more than 1")
        if self.bayer is not None:
            check_pattern("bayer", self.bayer)
