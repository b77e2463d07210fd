"""Pixels to the bytes of a PNG file, compressed by libdeflate: zlib took most of the time of encoding."""

import struct
import zlib
from collections.abc import Mapping

import deflate
import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR = 0, 2
_SUB = 1  # each pixel as its difference to the one before: nearly as small as the best of all filters, in less time


def png(pixels: np.ndarray, compression: int, text: Mapping[str, str] | None = None) -> bytes:
    """``[H, W, C]`` uint8 or uint16, C = 1 or 3, as a PNG file.

    Args:
        compression: 0 (none) to 9, sizes about as zlib's levels have them.
        text: to keep with the picture, by keywords of Latin letters.
    """
    height, width, channels = pixels.shape
    pixel = channels * pixels.itemsize
    values = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">"), copy=False))
    rows = values.view(np.uint8).reshape(height, width * pixel)
    lines = np.empty((height, 1 + width * pixel), np.uint8)
    lines[:, 0] = _SUB
    lines[:, 1 : 1 + pixel] = rows[:, :pixel]
    np.subtract(rows[:, pixel:], rows[:, :-pixel], out=lines[:, 1 + pixel :])
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, _GREY if channels == 1 else _COLOUR, 0, 0, 0)
    kept = [(b"iTXt", key.encode("latin-1") + bytes(5) + told.encode()) for key, told in (text or {}).items()]
    chunks: tuple[tuple[bytes, bytes | bytearray], ...]
    chunks = ((b"IHDR", header), *kept, (b"IDAT", deflate.zlib_compress(lines, compression)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes | bytearray) -> bytes:
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))))
