"""The restored picture as a file."""

import math
from pathlib import Path

import numpy as np
import pyvips

from ...io.errors import ImageError
from ...io.images import KINDS, ImageInfo, is_image_name, write_pixels
from .turn import Turn

ROWS = 256  # that are mixed at a time
LARGEST_MASK = 2**24  # pixels


def result_name(name: str, info: ImageInfo) -> str:
    """What a picture's result is called; the suffix is one of its format, or ``.png`` where that cannot be written."""
    path, kind = Path(name), KINDS[info.format]
    if info.bits not in kind.bits or (info.has_alpha and not kind.alpha):
        kind = KINDS["png"]
    suffix = path.suffix if path.suffix.lower() in kind.suffixes else kind.suffixes[0]
    return f"{path.stem if is_image_name(path) else path.name}_restored{suffix}"


def read_mask(content: bytes) -> np.ndarray:
    """The mask of a page, ``[h, w]`` uint8: 255 where the picture is restored. Raises ImageError: it is no PNG."""
    try:
        image = pyvips.Image.pngload_buffer(content, fail_on="truncated")
        if image.width * image.height > LARGEST_MASK:
            raise ImageError(f"mask: got {image.width} x {image.height} pixels, want at most {LARGEST_MASK} in all")
        grey = (image.flatten() if image.hasalpha() else image).colourspace("b-w").cast("uchar")
        return grey.numpy().reshape(image.height, image.width)
    except pyvips.Error as error:
        raise ImageError("mask: got something that is no whole PNG") from error


def write_result(
    path: Path,
    info: ImageInfo,
    before: np.ndarray,
    after: np.ndarray,
    strength: float = 1.0,
    mask: np.ndarray | None = None,
) -> None:
    """Write what the page shows: the format, depth, alpha, EXIF and profile of the picture.

    Args:
        path: with a suffix of the picture's format.
        info: of the picture, as stored.
        before, after: ``[H, W, 1 to 4]``, as stored.
        strength: from 0, the picture as it was, to 1, as the network restores it.
        mask: ``[h, w]`` uint8 over the upright picture, of any size: 0 leaves it as it was.

    Raises: ValueError: ``strength`` out of range. OutputError: the file cannot be written.
    """
    if not (math.isfinite(strength) and 0 <= strength <= 1):
        raise ValueError(f"strength: got {strength}, want 0 to 1")
    mixed = after if strength == 1 and mask is None else _mixed(info, before, after, strength, mask)
    write_pixels(path, mixed, like=info)


def _mixed(
    info: ImageInfo, before: np.ndarray, after: np.ndarray, strength: float, mask: np.ndarray | None
) -> np.ndarray:
    """Integers are rounded once; alpha, which is the same in both, stays."""
    height, width = before.shape[:2]
    scaled = None if mask is None else _scaled(np.ascontiguousarray(Turn.of(info).stored(mask)), height, width)
    mixed = np.empty_like(before)
    for top in range(0, height, ROWS):
        rows = slice(top, min(top + ROWS, height))
        share: np.ndarray | float = strength
        if scaled is not None:
            band = scaled.crop(0, top, width, rows.stop - top).numpy().reshape(rows.stop - top, width, 1)
            share = band.astype(np.float32) * np.float32(strength / 255)
        old = before[rows].astype(np.float32)
        values = old + share * (after[rows].astype(np.float32) - old)
        mixed[rows] = values if mixed.dtype == np.float32 else np.rint(values)
    return mixed


def _scaled(mask: np.ndarray, height: int, width: int) -> pyvips.Image:
    image = pyvips.Image.new_from_memory(mask.data, mask.shape[1], mask.shape[0], 1, "uchar")
    if mask.shape == (height, width):
        return image
    across, down = width / mask.shape[1], height / mask.shape[0]
    image = image.cast("float").resize(across, vscale=down, kernel="linear")
    return image.gravity("north-west", width, height, extend="copy")  # resize may round a size down
