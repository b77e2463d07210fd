"""BMP, by Pillow: libvips comes without its loader."""

from pathlib import Path

import numpy as np
import pyvips
from PIL import BmpImagePlugin, Image

from ..errors import ImageError
from .info import ImageInfo

_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA"}
_MOST_PACKED = 256  # pixels that a byte of the file can stand for


def header(path: Path) -> ImageInfo:
    with _opened(path) as image:
        return _info(path, image)


def read(path: Path) -> tuple[np.ndarray, ImageInfo]:
    """``[H, W, 1, 3 or 4]`` uint8, palettes resolved, and the header."""
    with _opened(path) as image:
        info = _info(path, image)
        try:
            values = np.array(image.convert(_MODES[image.mode]))
        except (OSError, ValueError, SyntaxError) as error:
            raise ImageError(f"{path}: truncated or damaged ({error})") from error
    return values.reshape(info.height, info.width, -1), info


def write(path: Path, pixels: np.ndarray, like: ImageInfo | None) -> None:
    """``[H, W, 1 or 3]`` uint8."""
    per_millimetre = [like.metadata[name][1] for name in ("xres", "yres") if like and name in like.metadata]
    dpi = {"dpi": tuple(25.4 * value for value in per_millimetre)} if len(per_millimetre) == 2 else {}
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path, "BMP", **dpi)


def _opened(path: Path) -> Image.Image:
    try:
        # Not by Image.open: that tries other formats too, and warns of large photographs.
        return BmpImagePlugin.BmpImageFile(path)
    except (OSError, ValueError, SyntaxError, KeyError) as error:
        raise ImageError(f"{path}: not a readable picture ({error})") from error


def _info(path: Path, image: Image.Image) -> ImageInfo:
    width, height = image.size
    if image.mode not in _MODES or min(width, height) < 1:
        raise ImageError(f"{path}: a BMP of {width}x{height} pixels of the kind {image.mode}, want grey or RGB")
    if width * height > _MOST_PACKED * path.stat().st_size:
        raise ImageError(f"{path}: truncated or damaged (too short for {width}x{height} pixels)")
    horizontal, vertical = image.info.get("dpi", (0, 0))
    kind = pyvips.GValue.gdouble_type
    known = {"xres": (kind, horizontal / 25.4), "yres": (kind, vertical / 25.4)} if horizontal and vertical else {}
    channels = 1 if _MODES[image.mode] == "L" else 3
    return ImageInfo("bmp", 8, channels, height, width, None, known, has_alpha=image.mode == "RGBA", at_once=True)
