"""Quilts of the Looking Glass displays: ``NAME_qs5x9a0.75.png`` has 5 columns and 9 rows of tiles, one row of views."""

import re
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

_ENDING = r"_qs\d+x\d+a\d+(?:\.\d+)?"
_NAME = re.compile(r".*_qs(\d+)x(\d+)a(\d+(?:\.\d+)?)", re.IGNORECASE)


def fits(path: Path) -> bool:
    return path.is_file() and is_image_name(path) and _NAME.fullmatch(path.stem) is not None


def read(path: Path, options: ReadOptions) -> LightField:
    """Views from left to right, the first one at the bottom left of the picture, the last one at the top right.

    Columns and rows of tiles are in the name, or told by ``grid`` (rows and columns). The aspect in the name is that of
    the display; views keep their pixels.
    """
    if not path.is_file():
        raise LightFieldError(f"{path}: not a quilt: it is a folder, want a picture")
    match = _NAME.fullmatch(path.stem)
    if options.grid is None and match is None:
        raise LightFieldError(f"{path}: how many tiles a quilt has is told by a name like a_qs5x9a0.75, or by grid")
    columns, rows = (int(match[1]), int(match[2])) if match and options.grid is None else (options.grid or (1, 1))[::-1]
    try:
        info = picture_header(path)
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    if rows < 1 or columns < 1 or info.height % rows or info.width % columns:
        raise LightFieldError(
            f"{path}: got {columns} columns and {rows} rows of tiles in a picture of {info.width}x{info.height}, "
            "want numbers that divide it"
        )
    size = info.height // rows, info.width // columns
    shape = 1, rows * columns, info.channels, *size
    return LightField.of_lazy_views(
        LazyViews(shape, info.dtype, partial(_read, path, size, (rows, columns)), transfer=info.transfer),
        metadata={"aspect": float(match[3])} if match else {},
    )


def _read(path: Path, size: tuple[int, int], tiles: tuple[int, int], window: Window) -> tuple[Tensor, Tensor | None]:
    rows, columns = tiles
    indices = range(window.columns.start, window.columns.stop)
    places = [(rows - 1 - index // columns, index % columns) for index in indices]
    views, weights = read_tiles(path, size, places, window.y, window.x)
    return views[None], None if weights is None else weights[None]


FORMAT = Format(
    "quilt",
    read,
    fits,
    order=115,
    kind=PICTURE,
    looks_like="one picture, `NAME_qs5x9a0.75.png` (columns, rows, aspect)",
    layout="one row of views, as tiles from the bottom left",
    values="8 or 16 bits, alpha = weight",
    found_by="name",
    options=("grid",),
    word=_ENDING + "$",
    endings=(_ENDING,),
)
