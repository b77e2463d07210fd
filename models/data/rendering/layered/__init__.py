"""Defocused / all-in-focus pairs of scenes in layers, rendered from sharp pictures in batches on any device."""

from .options import OPTIONS, RenderingOptions
from .pairs import PairRenderer
from .picture_pool import PicturePool

__all__ = ["OPTIONS", "PairRenderer", "PicturePool", "RenderingOptions"]
