"""``read_light_field``: one door for every format."""

from pathlib import Path
from typing import NamedTuple, Protocol

from ..errors import LightFieldError
from ..light_field import LightField
from . import (
    basic_lfsr,
    eslf,
    h5,
    hci,
    hci_old,
    lfp,
    matlab,
    named_grid,
    npz,
    power_tools,
    raw_lenslet,
    sequence,
    stanford,
    zarr,
)
from ._array_file import check_transfer
from .options import ReadOptions

FLIPS = ("none", "rows", "columns", "both")


class _Fits(Protocol):
    def __call__(self, path: Path) -> bool: ...


class _Read(Protocol):
    def __call__(self, path: Path, options: ReadOptions) -> LightField: ...


class Format(NamedTuple):
    """A format: whether a path looks like it, its reader, and which options it takes beside those of all."""

    fits: _Fits
    read: _Read
    options: tuple[str, ...] = ()


_ARRAY = ("dataset", "axes")
# In the order of looking: the most telling names first.
FORMATS: dict[str, Format] = {
    "hci": Format(hci.fits, hci.read),
    "power-tools": Format(power_tools.fits, power_tools.read, ("grid",)),
    "stanford": Format(stanford.fits, stanford.read, ("flip",)),
    "zarr": Format(zarr.fits, zarr.read, _ARRAY),
    "lfp": Format(lfp.fits, lfp.read),
    "lftoolbox": Format(matlab.fits_lftoolbox, matlab.read_lftoolbox, _ARRAY),
    "epfl": Format(matlab.fits_epfl, matlab.read_epfl, _ARRAY),
    "basic-lfsr": Format(basic_lfsr.fits, basic_lfsr.read, ("dataset", "grid")),
    "hci-old": Format(hci_old.fits, hci_old.read, _ARRAY),
    "h5": Format(h5.fits, h5.read, _ARRAY),
    "npz": Format(npz.fits, npz.read, _ARRAY),
    "raw-lenslet": Format(raw_lenslet.fits, raw_lenslet.read),
    "eslf": Format(eslf.fits, eslf.read),
    "sequence": Format(sequence.fits, sequence.read, ("grid", "order", "flip")),
    "inria": Format(named_grid.fits_inria, named_grid.read_inria, ("flip",)),
    "grid": Format(named_grid.fits, named_grid.read, ("pattern", "flip")),
}


def read_light_field(
    path: str | Path,
    format: str | None = None,
    *,
    pattern: str | None = None,
    lenslet: int | tuple[int, int] = 14,
    views: int | tuple[int, int] | None = None,
    flip: str = "none",
    rows: slice | None = None,
    columns: slice | None = None,
    crop: tuple[int, int, int, int] | None = None,
    grid: int | tuple[int, int] | None = None,
    order: str = "rows",
    dataset: str | None = None,
    axes: str | None = None,
    transfer: str | None = None,
) -> LightField:
    """Read a light field, bit-exact, into the geometry of ``LightField`` (positive disparity = nearer).

    Names, headers and metadata are read and checked here; pixels when ``views`` or ``weights`` of the result is first
    asked for, by several threads, and of what was cropped away before as little as the format lets.

    Args:
        path: a folder or file; ``docs/formats.md`` tells each format's layout:

            - ``hci``: a scene of the 4D Light Field Benchmark (``input_Cam000.png``, ..., ``parameters.cfg``, true
              disparity ``gt_disp_lowres.pfm``);
            - ``hci-old``: the first HCI benchmark's ``.h5``, with its true depth;
            - ``stanford``: names of the Stanford Light Field Archive (``out_RR_CC_V_U.png``);
            - ``eslf``: one lenslet picture, as lightfields.stanford.edu has them;
            - ``raw-lenslet``: grey raw pictures of a camera or microscope with square lenslets, beside the white
              picture and the dark frame: a folder of one capture, or the capture;
            - ``power-tools``: views of the Lytro Power Tools (``IMG_view000_warp_image017_....png``);
            - ``lftoolbox``, ``epfl``: ``.mat`` files with ``LF[t, s, v, u, c]``, version 5 or 7.3;
            - ``basic-lfsr``: ``.h5`` files with mosaics ``Hr_SAI_y``, ``Lr_SAI_y``;
            - ``npz``, ``zarr``, ``h5``: an array ``views`` ``[V, U, C, H, W]`` or ``LF`` ``[V, U, H, W, C]``, and if
              they are there ``weights``, ``disparity``, ``disparity_range``, ``transfer``;
            - ``grid``: pictures whose names end with row and column (``view_r03_c05.jpg``, ``2067_05_04.png``,
              ``3_7.png``), counted from any number; ``inria``: the same, of any prefixes;
            - ``sequence``: pictures numbered by one index, with ``grid`` and ``order``;
            - ``lfp``: ``.lfp`` and ``.lfr`` are refused with what decodes them (see ``read_lytro``).

            Views are 8- or 16-bit PNG, TIFF, JPEG or WebP, grey or RGB; alpha becomes the views' ``weights``.
        format: one of these names; None: found by looking.
        pattern: for ``grid``, a regular expression with groups ``row`` and ``col`` that matches a whole name without
            its suffix; other files are left out.
        lenslet: for ``eslf``, rows and columns of pixels below a lenslet, which are those of views. Where 14, the
            default, does not divide the picture and 15 does, it is 15 (given ``eslf`` in the name). For
            ``raw-lenslet``, how many views to sample; the default is the lenslets' pitch, rounded.
        views: keep only the central ones, rows and columns; the others are not decoded. None: all.
        flip: for ``stanford``, ``grid``, ``inria`` and ``sequence``, turn the order of ``rows``, ``columns`` or
            ``both``.
        rows, columns: keep only these of the views (after ``views``); slices without step. The others are not decoded.
        crop: ``(y, x, height, width)`` in pixels, the same in every view.
        grid: rows and columns of views, where the names do not tell them: for ``sequence`` (which it implies in a
            folder), ``power-tools`` and ``basic-lfsr``.
        order: for ``sequence``: ``rows``, ``columns``, or ``lawn-mower`` (rows, the first from right to left, then in
            turns).
        dataset: the name of the array or variable, for the formats of one file of arrays.
        axes: its axes in order, letters of ``vuyxc`` (view row, view column, y, x, channel), where they are unusual.
        transfer: ``srgb`` or ``linear``, where it is not what the format says.

    Returns: the light field; views uint8 or uint16 as stored, or floating point. Views in the corners that a round lens
        left dark have weight 0 and stand in ``metadata["dark_views"]``, once the views are read (not for ``hci``,
        ``hci-old`` and ``stanford``, which have no lens around all views).

    Raises:
        LightFieldError: the path is missing, no format fits, views are missing, doubled, cut off or differ in size, an
            array has another rank, name or dtype, a library of the extra ``formats`` is missing. Damage inside a
            picture or a compressed array shows only when it is decoded, with the same error.
    """
    path = Path(path)
    if not path.exists():
        raise LightFieldError(f"{path}: no such file or folder")
    if format is not None and format not in FORMATS:
        raise LightFieldError(f"format: got {format!r}, want one of {', '.join(FORMATS)}")
    if flip not in FLIPS:
        raise LightFieldError(f"flip: got {flip!r}, want one of {', '.join(FLIPS)}")
    if order not in sequence.ORDERS:
        raise LightFieldError(f"order: got {order!r}, want one of {', '.join(sequence.ORDERS)}")
    lenslet_size = _pair("lenslet", lenslet)
    options = ReadOptions(
        pattern=pattern,
        lenslet=lenslet_size,
        flip=flip,
        forced=format is not None or lenslet_size != (14, 14),
        grid=None if grid is None else _pair("grid", grid),
        order=order,
        dataset=dataset,
        axes=axes,
    )
    keep = None if views is None else _pair("views", views)
    if transfer is not None:
        check_transfer(path, transfer)
    try:
        if format is None:
            format = _told_by(options, path) or _look(path)
        _check_options(format, options)
        field = FORMATS[format].read(path, options)
    except OSError as error:
        raise LightFieldError(f"{path}: cannot be read ({error.strerror or error})") from error
    if transfer is not None:
        field = field.with_transfer(transfer)
    field = _cropped(path, field, keep, rows, columns, crop)
    field.check()
    return field


def _cropped(
    path: Path,
    field: LightField,
    views: tuple[int, int] | None,
    rows: slice | None,
    columns: slice | None,
    crop: tuple[int, int, int, int] | None,
) -> LightField:
    if views is not None:
        have = field.grid
        if views[0] > have[0] or views[1] > have[1]:
            raise LightFieldError(f"{path}: got {views[0]}x{views[1]} central views to keep of {have[0]}x{have[1]}")
        field = field.crop_views(*views)
    if rows is not None or columns is not None:
        field = field.crop(rows or slice(None), columns or slice(None))
    if crop is not None:
        y, x, height, width = crop
        if min(y, x) < 0 or min(height, width) < 1 or y + height > field.size[0] or x + width > field.size[1]:
            raise LightFieldError(
                f"{path}: crop: got y={y} x={x} height={height} width={width}, want a part of views of "
                f"{field.size[1]}x{field.size[0]} pixels"
            )
        field = field.crop(y=slice(y, y + height), x=slice(x, x + width))
    return field


def _told_by(options: ReadOptions, path: Path) -> str | None:
    """The format that an option is for."""
    if options.pattern is not None:
        return "grid"
    if options.grid is not None and path.is_dir() and not power_tools.fits(path):
        return "sequence"
    return None


def _check_options(format: str, options: ReadOptions) -> None:
    """Raise LightFieldError where an option was given that the format does not take: it would do nothing."""
    given = {
        "pattern": options.pattern is not None,
        "flip": options.flip != "none",
        "grid": options.grid is not None,
        "order": options.order != "rows",
        "dataset": options.dataset is not None,
        "axes": options.axes is not None,
    }
    for name, is_given in given.items():
        if is_given and name not in FORMATS[format].options:
            if name == "flip":
                raise LightFieldError(f"flip: the format {format!r} has one fixed order of views")
            takers = [f"'{other}'" for other, known in FORMATS.items() if name in known.options]
            only = f"only the format{'s' * (len(takers) > 1)} {', '.join(takers)}"
            raise LightFieldError(f"{name}: {only} take{'s' * (len(takers) == 1)} one, got format {format!r}")


def _look(path: Path) -> str:
    for name, known in FORMATS.items():
        if known.fits(path):
            return name
    raise LightFieldError(
        f"{path}: unknown format; looked for a folder of views (hci, power-tools, stanford, grid, zarr), lenslet "
        "pictures (eslf, raw-lenslet), MATLAB 5 and 7.3 (.mat), HDF5 (.h5), NumPy (.npz), Zarr and Lytro containers "
        "(.lfp, .lfr)"
    )


def _pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    rows, columns = (value, value) if isinstance(value, int) else value
    if rows < 1 or columns < 1:
        raise LightFieldError(f"{name}: got {rows}x{columns}, want at least 1x1")
    return rows, columns
