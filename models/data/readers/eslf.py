"""ESLF, "lenslet" pictures: pixel ``(y*A + v, x*A + u)`` is pixel ``(y, x)`` of view ``(v, u)``."""

from functools import partial
from pathlib import Path

import numpy as np
import pyvips
import torch
from torch import Tensor

from ...io.errors import ImageError
from ...io.images import ImageInfo, full_scale, is_image_name, open_image, picture_header
from ..errors import LightFieldError
from ..lazy_views import LazyViews, Window
from ..light_field import LightField
from ._format import PICTURE, Format
from ._picture_grid import alpha_weights, check_finite, empty_views
from .options import ReadOptions

USUAL = (14, 15)  # of a Lytro Illum: as Lytro's tools, and as LFToolbox decodes it
_STRIP = 32  # rows of lenslets that are decoded at a time


def fits(path: Path) -> bool:
    return path.is_file() and is_image_name(path)


def told(path: Path, options: ReadOptions) -> bool:
    """By the lenslet's size."""
    return options.lenslet is not None and fits(path)


def doubt(path: Path) -> str:
    """Any picture fits; one of the right size says no more for it than that."""
    info, a = _header(path), USUAL[0]
    no = "a" if info.height % a == 0 and info.width % a == 0 else "no"
    return (
        f"got a picture of {info.width}x{info.height}, {no} multiple of the lenslet of {a}x{a} pixels; "
        "if it is an ESLF picture, force the format 'eslf' or give the lenslet's size"
    )


def read(path: Path, options: ReadOptions) -> LightField:
    """All views; those in the corners of a Lytro's are dark. Alpha is the weight of a view.

    A picture whose size is no multiple of the lenslet's is padded with zeros at the bottom and right, as LFToolbox
    does.
    """
    if not path.is_file():
        raise LightFieldError(f"{path}: not an ESLF picture: it is a folder, want a file")
    info = _header(path)
    a, b = options.lenslet or _usual_lenslet(path, info)
    if info.height < a or info.width < b:
        raise LightFieldError(
            f"{path}: got a picture of {info.width}x{info.height}, smaller than one lenslet of {b}x{a} pixels"
        )
    shape = a, b, info.channels, -(-info.height // a), -(-info.width // b)
    return LightField.of_lazy_views(
        LazyViews(shape, info.dtype, partial(_read, path, (a, b)), transfer=info.transfer, lens=True),
        metadata={"lenslet": (a, b), "padded": bool(info.height % a or info.width % b)},
    )


def _header(path: Path) -> ImageInfo:
    try:
        return picture_header(path)
    except ImageError as error:
        raise LightFieldError(str(error)) from error


def _usual_lenslet(path: Path, info: ImageInfo) -> tuple[int, int]:
    """14, but 15 where only that divides the picture and the name says that it has lenslets."""
    fitting = [a for a in USUAL if info.height % a == 0 and info.width % a == 0] if FORMAT.is_named_in(path) else []
    a = fitting[0] if fitting else USUAL[0]
    return a, a


def _read(path: Path, lenslet: tuple[int, int], window: Window) -> tuple[Tensor, Tensor | None]:
    """Strip by strip, so that no more than the window and one strip is in memory."""
    a, b = lenslet
    rows, columns, height, width = window.shape
    try:
        image, info = open_image(path)
        views = empty_views((rows, columns, info.channels, height, width), info)
        views.fill(0)
        alphas, opaque = np.zeros((rows, columns)), np.zeros((rows, columns))
        left, right = window.x.start * b, min(window.x.stop * b, info.width)
        region = pyvips.Region.new(image)  # unlike a crop, it reads strip after strip without running ahead
        for y in range(window.y.start, window.y.stop, _STRIP):
            top, bottom = y * a, min(min(y + _STRIP, window.y.stop) * a, info.height)
            pixels = np.frombuffer(region.fetch(left, top, right - left, bottom - top), views.dtype)
            pixels = pixels.reshape(bottom - top, right - left, image.bands)
            colours, alpha = pixels[..., : info.channels], pixels[..., -1] if image.bands in (2, 4) else None
            part = _lenslets(colours, a, b)[window.rows, window.columns]
            start = y - window.y.start
            views[:, :, :, start : start + part.shape[3], : part.shape[4]] = part
            if alpha is not None:
                for total, values in ((alphas, alpha), (opaque, np.full_like(alpha, full_scale(alpha.dtype)))):
                    kept = _lenslets(values[..., None], a, b)[window.rows, window.columns]
                    total += kept.sum((2, 3, 4), dtype=np.float64)
        check_finite(path, views)
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    except pyvips.Error as error:
        raise LightFieldError(f"{path}: truncated or damaged ({' '.join(str(error.detail).split())})") from error
    # What is padding has no alpha, so the mean is over the pixels of the picture.
    weights = alpha_weights(torch.from_numpy(np.clip(alphas / opaque, 0, 1)), path) if opaque.all() else None
    return torch.from_numpy(views), weights


def _lenslets(pixels: np.ndarray, a: int, b: int) -> np.ndarray:
    """``[H*a, W*b, C]`` to ``[a, b, C, H, W]``; a copy is made only for padding."""
    bottom, right = -pixels.shape[0] % a, -pixels.shape[1] % b
    if bottom or right:
        pixels = np.pad(pixels, ((0, bottom), (0, right), (0, 0)))
    height, width, channels = pixels.shape
    return pixels.reshape(height // a, a, width // b, b, channels).transpose(1, 3, 4, 0, 2)


FORMAT = Format(
    "eslf",
    read,
    fits,
    order=130,
    kind=PICTURE,
    looks_like="one picture, `IMG_0001_eslf.png`",
    layout="pixel `(y*A + t, x*A + s)`, A = 14 or 15",
    values="8 or 16 bits, alpha = weight",
    found_by="`eslf` in the name, or `--lenslet`",
    told=told,
    doubt=doubt,
    word="eslf",
    endings=("_eslf", r"\.eslf"),
)
