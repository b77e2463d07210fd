"""Names of INRIA's light fields and others like them: ``PREFIXv_u.png``, row and column right behind any prefix."""

from dataclasses import replace
from pathlib import Path

from . import grid
from .light_field import LightField
from .options import ReadOptions

_PATTERN = r"(?:.*\D)?(?P<row>\d+)_(?P<col>\d+)"


def fits(path: Path) -> bool:
    """Never by looking: the format ``grid`` reads these names too, and checks that all prefixes are the same."""
    return False


def read(path: Path, options: ReadOptions) -> LightField:
    """As ``grid``, but prefixes may differ, and files with other names are left out."""
    return grid.read(path, replace(options, pattern=_PATTERN)).copy(format="inria")
