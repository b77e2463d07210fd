"""``read_light_field``: one door for every format."""

from pathlib import Path
from typing import NamedTuple, Protocol

from . import grid, hci, lenslet, stanford
from .light_field import LightField, LightFieldError
from .options import ReadOptions

FLIPS = ("none", "rows", "columns", "both")


class _Fits(Protocol):
    def __call__(self, path: Path) -> bool: ...


class _Read(Protocol):
    def __call__(self, path: Path, options: ReadOptions) -> LightField: ...


class Format(NamedTuple):
    """A format: whether a path looks like it, and its reader."""

    fits: _Fits
    read: _Read


# In the order of looking: the most telling names first.
FORMATS: dict[str, Format] = {
    "hci": Format(hci.fits, hci.read),
    "stanford": Format(stanford.fits, stanford.read),
    "eslf": Format(lenslet.fits, lenslet.read),
    "grid": Format(grid.fits, grid.read),
}


def read_light_field(
    path: str | Path,
    format: str | None = None,
    *,
    pattern: str | None = None,
    lenslet: int | tuple[int, int] = 14,
    views: int | tuple[int, int] | None = None,
    flip: str = "none",
) -> LightField:
    """Read a light field, bit-exact, into the geometry of ``LightField`` (positive disparity = nearer).

    Args:
        path: a folder or file:

            - ``hci``: a scene of the 4D Light Field Benchmark (``input_Cam000.png``, ..., ``parameters.cfg``, true
              disparity ``gt_disp_lowres.pfm``);
            - ``stanford``: names of the Stanford Light Field Archive (``out_RR_CC_V_U.png``);
            - ``eslf``: one lenslet picture, as lightfields.stanford.edu has them;
            - ``grid``: pictures whose names end with row and column (``view_r03_c05.jpg``, ``2067_05_04.png``,
              ``3_7.png``), counted from any number.

            Views are 8- or 16-bit PNG, TIFF, JPEG or WebP, grey or RGB; alpha becomes the views' ``weights``.
        format: one of these names; None: found by looking.
        pattern: for ``grid``, a regular expression with groups ``row`` and ``col`` that matches a whole name without
            its suffix; other files are left out.
        lenslet: for ``eslf``, rows and columns of pixels below a lenslet, which are those of views.
        views: keep only the central ones, rows and columns; the others are not decoded. None: all.
        flip: for ``stanford`` and ``grid``, turn the order of ``rows``, ``columns`` or ``both``.

    Returns: the light field; views uint8 or uint16, transfer ``srgb``.

    Raises:
        LightFieldError: the path is missing, no format fits, views are missing, doubled, damaged or differ in size.
    """
    path = Path(path)
    if not path.exists():
        raise LightFieldError(f"{path}: no such file or folder")
    if format is not None and format not in FORMATS:
        raise LightFieldError(f"format: got {format!r}, want one of {', '.join(FORMATS)}")
    if flip not in FLIPS:
        raise LightFieldError(f"flip: got {flip!r}, want one of {', '.join(FLIPS)}")
    if pattern is not None and format not in (None, "grid"):
        raise LightFieldError(f"pattern: only the format 'grid' takes one, got format {format!r}")
    lenslet_size = _pair("lenslet", lenslet)
    options = ReadOptions(
        pattern=pattern,
        lenslet=lenslet_size,
        views=None if views is None else _pair("views", views),
        flip=flip,
        forced=format is not None or lenslet_size != (14, 14),
    )
    try:
        if format is None:
            format = "grid" if pattern is not None else _look(path)
        if flip != "none" and format not in ("stanford", "grid"):
            raise LightFieldError(f"flip: the format {format!r} has one fixed order of views")
        return FORMATS[format].read(path, options)
    except OSError as error:
        raise LightFieldError(f"{path}: cannot be read ({error.strerror or error})") from error


def _look(path: Path) -> str:
    for name, known in FORMATS.items():
        if known.fits(path):
            return name
    raise LightFieldError(f"{path}: unknown format, want a folder of views or an ESLF picture ({', '.join(FORMATS)})")


def _pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    rows, columns = (value, value) if isinstance(value, int) else value
    if rows < 1 or columns < 1:
        raise LightFieldError(f"{name}: got {rows}x{columns}, want at least 1x1")
    return rows, columns
