"""Light fields as LFToolbox saves them: ``IMG_0001__Decoded.mat`` with ``LF[t, s, v, u, c]``, c = R, G, B, weight."""

from pathlib import Path

from . import matlab
from .light_field import LightField
from .options import ReadOptions

_BESIDE = ("LFMetadata", "WhiteImageMetadata", "LensletGridModel", "DecodeOptions", "RectOptions")


def fits(path: Path) -> bool:
    if not matlab.is_mat(path):
        return False
    found = matlab.variables(path)
    return "LF" in found and (any(name in found for name in _BESIDE) or found["LF"].shape[4:] == (4,))


def read(path: Path, options: ReadOptions) -> LightField:
    """In linear light, as LFToolbox decodes; where its colour correction was run, tell ``transfer='srgb'``."""
    return matlab.read_mat(path, "lftoolbox", "linear", options)
