"""One picture that holds all views side by side: view ``(v, u)`` starts at row ``v*H`` and column ``u*W``."""

from functools import partial
from pathlib import Path

from torch import Tensor

from ...io.errors import ImageError
from ...io.images import is_image_name, picture_header
from ..errors import LightFieldError
from ..lazy_views import LazyViews, Window
from ..light_field import LightField
from ._format import PICTURE, Format
from ._picture_tiles import read_tiles
from .options import ReadOptions


def fits(path: Path) -> bool:
    return path.is_file() and is_image_name(path)


def told(path: Path, options: ReadOptions) -> bool:
    """By the grid of views."""
    return options.grid is not None and options.pattern is None and fits(path)


def doubt(path: Path) -> str:
    """Any picture fits."""
    return "if it is a mosaic of views, give the grid, its rows and columns of views"


def read(path: Path, options: ReadOptions) -> LightField:
    """Rows of views from the top, columns from the left. Alpha is the weight of a view."""
    if not path.is_file():
        raise LightFieldError(f"{path}: not a mosaic of views: it is a folder, want a picture")
    if options.grid is None:
        raise LightFieldError(
            f"{path}: the format 'mosaic' needs the grid's size, rows and columns of views (--grid 5x5)"
        )
    try:
        info = picture_header(path)
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    rows, columns = options.grid
    if info.height % rows or info.width % columns:
        raise LightFieldError(
            f"{path}: grid: got {rows}x{columns} views, want rows that divide the picture's height of {info.height} "
            f"pixels and columns that divide its width of {info.width}"
        )
    size = info.height // rows, info.width // columns
    shape = rows, columns, info.channels, *size
    return LightField.of_lazy_views(
        LazyViews(shape, info.dtype, partial(_read, path, size), transfer=info.transfer, lens=True)
    )


def _read(path: Path, size: tuple[int, int], window: Window) -> tuple[Tensor, Tensor | None]:
    rows, columns = window.rows, window.columns
    places = [(v, u) for v in range(rows.start, rows.stop) for u in range(columns.start, columns.stop)]
    views, weights = read_tiles(path, size, places, window.y, window.x)
    grid = window.shape[:2]
    return views.unflatten(0, grid), None if weights is None else weights.unflatten(0, grid)


FORMAT = Format(
    "mosaic",
    read,
    fits,
    order=140,
    kind=PICTURE,
    looks_like="one picture of all views side by side, `SCENE_mosaic.png`",
    layout="pixel `(t*H + y, s*W + x)`, `--grid ROWSxCOLUMNS`",
    values="8 or 16 bits, alpha = weight",
    found_by="`--grid`, or `_mosaic` in the name",
    options=("grid",),
    told=told,
    doubt=doubt,
    word="_mosaic",
    endings=("_mosaic", r"\.mosaic"),
)
