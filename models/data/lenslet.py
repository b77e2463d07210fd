"""ESLF, "lenslet" pictures: pixel ``(y*A + v, x*A + u)`` is pixel ``(y, x)`` of view ``(v, u)``."""

from pathlib import Path

import numpy as np
import torch

from ..images import ImageError, decode, is_image_name, open_image
from .light_field import LightField, LightFieldError, central
from .options import ReadOptions
from .views import alpha_weights, check_keep


def fits(path: Path) -> bool:
    return path.is_file() and is_image_name(path)


def read(path: Path, options: ReadOptions) -> LightField:
    """All views, or the central ones; those in the corners of a Lytro's are dark.

    A picture whose size is no multiple of the lenslet's is padded with zeros at the bottom and right, as LFToolbox
    does; but only where the format was forced or the name says ``eslf``, since any photograph could be meant.
    """
    if not path.is_file():
        raise LightFieldError(f"{path}: not an ESLF picture: it is a folder, want a file")
    a, b = options.lenslet
    try:
        image, info = open_image(path)
        size = f"{info.width}x{info.height}"
        if info.height < a or info.width < b:
            raise LightFieldError(f"{path}: got a picture of {size}, smaller than one lenslet of {b}x{a} pixels")
        fitting = info.height % a == 0 and info.width % b == 0
        if not fitting and not options.forced and "eslf" not in path.name.lower():
            raise LightFieldError(
                f"{path}: got a picture of {size}, no multiple of the lenslet of {b}x{a} pixels; "
                "if it is an ESLF picture, force the format 'eslf' or give the lenslet's size"
            )
        if options.views is not None:
            check_keep((a, b), options.views, path)
        colours, alpha = decode(path, image)
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    keep = options.views or (a, b)
    window = central(a, keep[0]), central(b, keep[1])
    views = np.ascontiguousarray(_lenslets(colours, a, b)[window])
    weights = None
    if alpha is not None:
        mean = _lenslets(alpha[..., None], a, b)[window].mean((2, 3, 4)) / np.iinfo(alpha.dtype).max
        weights = alpha_weights(torch.from_numpy(mean), path)
    return LightField(
        torch.from_numpy(views),
        format="eslf",
        scene=path.name.split(".")[0].removesuffix("_eslf"),
        weights=weights,
        metadata={"lenslet": (a, b), "padded": not fitting},
    )


def _lenslets(pixels: np.ndarray, a: int, b: int) -> np.ndarray:
    """``[H*a, W*b, C]`` to ``[a, b, C, H, W]``; a copy is made only for padding."""
    bottom, right = -pixels.shape[0] % a, -pixels.shape[1] % b
    if bottom or right:
        pixels = np.pad(pixels, ((0, bottom), (0, right), (0, 0)))
    height, width, channels = pixels.shape
    return pixels.reshape(height // a, a, width // b, b, channels).transpose(1, 3, 4, 0, 2)
