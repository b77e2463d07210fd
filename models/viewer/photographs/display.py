"""Parts of a picture for the screen."""

import numpy as np
import pyvips
import torch

from ...io.images import ImageInfo
from ...io.srgb import linear_to_srgb
from .turn import Rectangle, Turn

LARGEST = 16 * 10**6  # pixels of a part, as it is sent
LONGEST = 65_500  # pixels of a side that JPEG can hold
QUALITY = 90
QUALITY_OF_PIXELS = 98  # where they are shown one to one, or larger
NEUTRAL = 128  # what lies behind transparent pixels


def check_part(part: Rectangle, scale: float, height: int, width: int) -> None:
    """Raise ValueError where it is no part of an upright picture of this size, or too large to be sent."""
    x, y, across, down = part
    if not (0 <= x < x + across <= width and 0 <= y < y + down <= height):
        raise ValueError(f"part: got {across} x {down} pixels at {x}, {y}, want some of {width} x {height}")
    if not 0 < scale <= 1:
        raise ValueError(f"scale: got {scale:g}, want more than 0, at most 1")
    if max(across, down) * scale > LONGEST:
        raise ValueError(f"part: got a side of {max(across, down) * scale:.0f} pixels, want at most {LONGEST}")
    if across * down * scale**2 > LARGEST:
        raise ValueError(f"part: got {across * down * scale**2:.0f} pixels, want at most {LARGEST}")


def part_jpeg(pixels: np.ndarray, info: ImageInfo, part: Rectangle, scale: float) -> bytes:
    """JPEG of a part of the upright picture, with the picture's colour profile.

    Args:
        pixels: ``[H, W, 1 to 4]`` uint8, uint16 or float32 (linear light) as stored, contiguous.
        info: of the picture, as stored.
        part: in pixels of the upright picture.
        scale: what it is shrunk by, at most 1.

    Raises: ValueError: as ``check_part``.
    """
    turn = Turn.of(info)
    height, width, bands = pixels.shape
    check_part(part, scale, *turn.size(height, width))
    x, y, across, down = turn.stored_part(part, height, width)
    if pixels.dtype == np.float32:
        pixels, x, y = _encoded(pixels[y : y + down, x : x + across]), 0, 0
        height, width = pixels.shape[:2]
    deep = pixels.dtype == np.uint16
    image = pyvips.Image.new_from_memory(pixels.data, width, height, bands, "ushort" if deep else "uchar")
    image = image.crop(x, y, across, down)
    if bands in (2, 4):
        kinds = (("grey16" if deep else "b-w"), ("rgb16" if deep else "srgb"))
        image = image.copy(interpretation=kinds[bands == 4])
        image = image.flatten(background=[NEUTRAL * (257 if deep else 1)])
    if scale < 1:
        size = (max(1, round(length * scale)) for length in (across, down))
        horizontal, vertical = (after / before for after, before in zip(size, (across, down), strict=True))
        image = image.resize(horizontal, vscale=vertical)
    if deep:
        image = image.msb()
    shown = np.ascontiguousarray(turn.upright(image.numpy().reshape(image.height, image.width, image.bands)))
    sent = pyvips.Image.new_from_memory(shown.data, shown.shape[1], shown.shape[0], shown.shape[2], "uchar")
    sent = sent.copy(interpretation="b-w" if shown.shape[2] == 1 else "srgb")
    if "icc-profile-data" in info.metadata:
        kind, profile = info.metadata["icc-profile-data"]
        sent.set_type(kind, "icc-profile-data", profile)
    quality = QUALITY_OF_PIXELS if scale == 1 else QUALITY
    return bytes(sent.jpegsave_buffer(Q=quality, subsample_mode="off"))


def _encoded(light: np.ndarray) -> np.ndarray:
    """Linear light, alpha last where there is one, as 16 bits for display."""
    values = torch.from_numpy(np.nan_to_num(light).clip(0, 1))
    colours = 3 if light.shape[2] > 2 else 1
    values[..., :colours] = linear_to_srgb(values[..., :colours])
    return np.rint(values.numpy() * 65535).astype(np.uint16)
