"""Names of the Lytro Power Tools: ``IMG_0001_view000_warp_image017_0.1_0.4.png``, image = row * columns + column."""

import math
import re
from pathlib import Path

from ..errors import LightFieldError
from ..light_field import LightField
from ._format import FOLDER, Format
from ._picture_grid import add_position, arrange, file_pixels, list_pictures
from .options import ReadOptions

_NAME = re.compile(r"(?P<base>.*)_view(?P<view>\d+)_warp_image(?P<index>\d+)(?:_.*)?")


def fits(path: Path) -> bool:
    return path.is_dir() and any(_NAME.fullmatch(file.stem) for file in path.iterdir())


def told(path: Path, options: ReadOptions) -> bool:
    """With ``grid``, which would tell ``sequence`` of other names."""
    return options.grid is not None and options.pattern is None and fits(path)


def read(path: Path, options: ReadOptions) -> LightField:
    """A square grid (14x14, unless ``grid`` is given); a view's index is ``row * columns + column``."""
    if not path.is_dir():
        raise LightFieldError(f"{path}: not views of the Lytro Power Tools: it is a file, want a folder")
    files: dict[int, Path] = {}
    bases: dict[tuple[str, str], str] = {}
    for file in list_pictures(path):
        if (match := _NAME.fullmatch(file.stem)) is not None:
            bases.setdefault((match["base"], match["view"]), file.name)
            if int(match["index"]) in files:
                other = files[int(match["index"])].name
                raise LightFieldError(f"{path}: two files for one view: {other} and {file.name}")
            files[int(match["index"])] = file
    if not files:
        raise LightFieldError(f"{path}: no picture named like IMG_0001_view000_warp_image017_0.123_0.456.png")
    if len(bases) > 1:
        one, two = list(bases.values())[:2]
        raise LightFieldError(f"{path}: two light fields in one folder: {one} and {two}")
    count = 1 + max(files)
    side = math.isqrt(count - 1) + 1
    rows, columns = options.grid or (side, side)
    if count > rows * columns:
        raise LightFieldError(f"{path}: got views up to image{count - 1:03d}, want {rows}x{columns}")
    positions: dict[tuple[int, int], Path] = {}
    for index, file in files.items():
        add_position(positions, *divmod(index, columns), file)
    missing = rows * columns - len(files)
    if missing:
        first = next(index for index in range(rows * columns) if index not in files)
        raise LightFieldError(
            f"{path}: a gap in the grid of {rows}x{columns} views: no warp_image{first:03d} "
            f"(row {first // columns} column {first % columns}); {missing} of {rows * columns} views are missing"
        )
    return LightField.of_lazy_views(file_pixels(arrange(path, positions), lens=True), scene=next(iter(bases))[0])


FORMAT = Format(
    "power-tools",
    read,
    fits,
    order=20,
    kind=FOLDER,
    looks_like="`IMG_0001_view000_warp_image017_0.1_0.4.png`",
    layout="`index = t * columns + s`",
    values="8 or 16 bits",
    found_by="names",
    options=("grid",),
    told=told,
    names_scene=True,
)
