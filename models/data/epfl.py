"""``.mat`` files with ``LF[U, V, H, W, C]`` alone, as EPFL's and other sets are packed for super-resolution."""

from pathlib import Path

from . import matlab
from .light_field import LightField
from .options import ReadOptions


def fits(path: Path) -> bool:
    return matlab.is_mat(path)


def read(path: Path, options: ReadOptions) -> LightField:
    """Colours as they are shown; of more than three channels the fourth is weight."""
    return matlab.read_mat(path, "epfl", "srgb", options)
