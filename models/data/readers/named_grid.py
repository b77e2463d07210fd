"""A folder of pictures whose names end with row and column: ``view_r03_c05.jpg``, ``2067_05_04.png``, ``3_7.png``.

``inria`` are names like ``PREFIXv_u.png``: row and column right behind any prefix.
"""

import re
from dataclasses import replace
from pathlib import Path

from ..errors import LightFieldError
from ..light_field import LightField
from ._format import FOLDER, Format, not_by_looking
from ._picture_grid import add_position, arrange, file_pixels, flip, list_pictures
from .options import ReadOptions

# The last two numbers of a name; the text around them must be the same in all names.
_NAME = re.compile(r"(?P<prefix>.*?)(?P<row>\d+)(?P<between>\D+)(?P<col>\d+)(?P<suffix>\D*)")

_INRIA = r"(?:.*\D)?(?P<row>\d+)_(?P<col>\d+)"

_PHOTOGRAPHS = "(generate takes a folder of photographs as photo:"


def fits(path: Path) -> bool:
    return path.is_dir()


def told(path: Path, options: ReadOptions) -> bool:
    """By a pattern."""
    return options.pattern is not None and path.is_dir()


def doubt(path: Path) -> str:
    """Any folder fits."""
    return "if it is a grid of views, give the format 'grid' or the names' pattern"


def read(path: Path, options: ReadOptions) -> LightField:
    """Rows from the top, columns from the left, counted from any number."""
    if not path.is_dir():
        raise LightFieldError(f"{path}: not a grid of pictures: it is a file, want a folder")
    pictures = list_pictures(path)
    pattern = _NAME if options.pattern is None else _compile(options.pattern)
    matches = {file: match for file in pictures if (match := pattern.fullmatch(file.stem)) is not None}
    if not matches:
        wanted = f"the pattern {options.pattern!r}" if options.pattern else "two numbers, row and column"
        raise LightFieldError(
            f"{path}: no readable pattern: want names with {wanted}, got {pictures[0].name}; pictures with one "
            f"running number need the grid's size, --grid 5x5 {_PHOTOGRAPHS}{path})"
        )
    if options.pattern is None:
        kinds: dict[tuple[str, ...], str] = {}
        for file, match in matches.items():
            kinds.setdefault((match["prefix"], match["between"], match["suffix"]), file.name)
        if len(kinds) > 1:
            one, two = list(kinds.values())[:2]
            raise LightFieldError(f"{path}: no readable pattern: {one} and {two} are named differently; give a pattern")
    positions: dict[tuple[int, int], Path] = {}
    for file, match in matches.items():
        add_position(positions, int(match["row"]), int(match["col"]), file)
    first = min(positions)
    try:
        files = arrange(path, positions)
    except LightFieldError as error:
        raise LightFieldError(f"{error} {_PHOTOGRAPHS}{path})") from error
    pixels = file_pixels(flip(files, options.flip), lens=True)
    return LightField.of_lazy_views(
        pixels,
        metadata={
            "first_row": first[0],
            "first_column": first[1],
            "ignored": [file.name for file in pictures if file not in matches],
        },
    )


def read_inria(path: Path, options: ReadOptions) -> LightField:
    """As ``grid``, but prefixes may differ, and files with other names are left out."""
    return read(path, replace(options, pattern=_INRIA))


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise LightFieldError(f"pattern: {pattern!r} is not a regular expression ({error})") from error
    missing = [name for name in ("row", "col") if name not in compiled.groupindex]
    if missing:
        raise LightFieldError(
            f"pattern: {pattern!r} has no group named {' and '.join(missing)}; "
            r"want for example r'view_(?P<row>\d+)_(?P<col>\d+)'"
        )
    return compiled


# Not found by looking: ``grid`` reads these names too, and checks that all prefixes are the same.
INRIA = Format(
    "inria",
    read_inria,
    not_by_looking,
    order=160,
    kind=FOLDER,
    looks_like="`ANYv_u.png`, prefixes may differ",
    layout="`v` row, `u` column",
    values="8 or 16 bits",
    found_by="`--format inria`",
    options=("flip",),
)
GRID = Format(
    "grid",
    read,
    fits,
    order=170,
    kind=FOLDER,
    looks_like="`view_r03_c05.jpg`, `2067_05_04.png`, `3_7.png`",
    layout="the last two numbers are row and column, from any first number",
    values="8 or 16 bits, alpha = weight",
    found_by="any other folder of pictures",
    options=("pattern", "flip"),
    told=told,
    doubt=doubt,
)
