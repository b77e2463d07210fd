"""A folder of pictures numbered by one running index, with the grid's size and order told by the caller."""

from pathlib import Path

from ...io.natural_order import natural_key
from ..errors import LightFieldError
from ..light_field import LightField
from ._format import FOLDER, Format, not_by_looking
from ._picture_grid import Files, file_pixels, flip, list_pictures
from .options import ReadOptions


def told(path: Path, options: ReadOptions) -> bool:
    """By ``grid``: how many views are in a row is not in the names."""
    return options.grid is not None and options.pattern is None and path.is_dir()


def read(path: Path, options: ReadOptions) -> LightField:
    """Pictures in the natural order of their names (``view_9`` before ``view_10``), all of them."""
    if not path.is_dir():
        raise LightFieldError(f"{path}: not a sequence of pictures: it is a file, want a folder")
    if options.grid is None:
        raise LightFieldError(
            f"{path}: the format 'sequence' needs the grid's size, rows and columns of views (--grid 5x5)"
        )
    pictures = sorted(list_pictures(path), key=lambda picture: natural_key(picture.stem))
    files = in_order(path, pictures, options.grid, options.order)
    return LightField.of_lazy_views(
        file_pixels(flip(files, options.flip), lens=True),
        metadata={"order": options.order},
    )


def in_order(path: Path, files: list[Path], grid: tuple[int, int], order: str) -> Files:
    """Files as a grid.

    ``rows``: row after row from the left; ``columns``: column after column from the top; ``lawn-mower``: row after row,
    the first, third, ... from the right, the others from the left, as some sets of the first Stanford archive are.

    Raises:
        LightFieldError: there are more or fewer files than the grid has places.
    """
    rows, columns = grid
    if len(files) != rows * columns:
        raise LightFieldError(f"{path}: got {len(files)} pictures, want {rows}x{columns} = {rows * columns}")
    if order == "columns":
        return [files[row::rows] for row in range(rows)]
    lines = [files[row * columns : (row + 1) * columns] for row in range(rows)]
    return [line[::-1] if order == "lawn-mower" and row % 2 == 0 else line for row, line in enumerate(lines)]


FORMAT = Format(
    "sequence",
    read,
    not_by_looking,
    order=150,
    kind=FOLDER,
    looks_like="`frame_0.png`, `frame_1.png`, ...",
    layout="`--grid ROWSxCOLUMNS --order rows`, `columns` or `lawn-mower`",
    values="8 or 16 bits",
    found_by="`--grid`",
    options=("grid", "order", "flip"),
    told=told,
)
