"""PGM and PPM, by NumPy: libvips comes without their loader, and Pillow cuts 16 bits of colour to 8."""

import re
from pathlib import Path

import numpy as np

from ..errors import ImageError
from .info import ImageInfo

_FIELD = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])*(\d{1,12})(?!\d)")
_NUMBERS = b"0123456789 \t\n\v\f\r"
_LONGEST = 1 << 16  # bytes of a header, comments and all


def header(path: Path) -> ImageInfo:
    return _parsed(path)[0]


def read(path: Path) -> tuple[np.ndarray, ImageInfo]:
    """``[H, W, 1 or 3]`` uint8 or uint16, and the header.

    Where the file's white is another number than the dtype's, values are scaled and rounded.
    """
    info, plain, white, start = _parsed(path)
    count = info.height * info.width * info.channels
    if plain:
        text = re.sub(rb"#[^\r\n]*", b"", path.read_bytes()[start:])
        if text.translate(None, _NUMBERS):
            raise ImageError(f"{path}: truncated or damaged (something among its numbers is none)")
        values = np.fromstring(text, np.int64, sep=" ")[:count] if text.strip() else np.empty(0, np.int64)
    else:
        values = np.fromfile(path, ">u2" if info.bits == 16 else np.uint8, count, offset=start)
    if values.size < count:
        raise ImageError(f"{path}: truncated or damaged (got {values.size} numbers, want {count})")
    if values.max() > white:
        raise ImageError(f"{path}: damaged (a value of {values.max()}, above its white of {white})")
    full = 2**info.bits - 1
    if white != full:
        values = (values.astype(np.uint64) * (2 * full) + white) // (2 * white)
    values = np.ascontiguousarray(values, np.uint8 if info.bits == 8 else np.uint16)
    return values.reshape(info.height, info.width, info.channels), info


def write(path: Path, pixels: np.ndarray) -> None:
    """``[H, W, 1 or 3]`` uint8 or uint16, binary."""
    height, width, channels = pixels.shape
    with path.open("wb") as file:
        file.write(f"P{5 if channels == 1 else 6}\n{width} {height}\n{np.iinfo(pixels.dtype).max}\n".encode())
        for rows in np.array_split(pixels, max(1, pixels.nbytes >> 24)):
            file.write(np.ascontiguousarray(rows, rows.dtype.newbyteorder(">")).data)


def _parsed(path: Path) -> tuple[ImageInfo, bool, int, int]:
    """What the header tells: the picture, whether its numbers are text, which one is white, and where they start."""
    with path.open("rb") as file:
        data = file.read(_LONGEST)
    numbers, at = [], 2
    for _ in range(3):
        match = _FIELD.match(data, at)
        if match is None:
            raise ImageError(f"{path}: truncated or damaged (its header ends too early)")
        numbers.append(int(match[1]))
        at = match.end()
    width, height, white = numbers
    if width < 1 or height < 1 or not 1 <= white <= 65535:
        raise ImageError(f"{path}: damaged (a size of {width}x{height}, white {white})")
    bits, channels, plain = 8 if white < 256 else 16, 1 if data[1:2] in b"25" else 3, data[1:2] in b"23"
    least = height * width * channels * (2 if plain else bits // 8)  # a digit and what parts it from the next
    there = path.stat().st_size - at - 1
    if there < least - (1 if plain else 0):
        raise ImageError(f"{path}: truncated or damaged (got {there} bytes of pixels, want {least})")
    return ImageInfo("pnm", bits, channels, height, width, at_once=True), plain, white, at + 1
