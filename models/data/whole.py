"""Whether a picture file is all there, without decoding it."""

import mmap
import struct
from pathlib import Path

from ..images import ImageError

_PNG, _JPEG, _RIFF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF"
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


def check_whole(path: Path) -> None:
    """Raise ImageError where a PNG, JPEG or WebP file was cut off; TIFF files are checked when they are opened.

    Decoders find that only when they come to the missing part, which may be hours after the file was named.
    """
    if not path.is_file() or path.stat().st_size < 16:
        return  # what it is instead of a picture is told by whoever opens it
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:8] == _PNG:
            whole = _png_is_whole(data)
        elif data[:3] == _JPEG:
            # Between the last scan's start and the end of the image, the two marks cannot occur in its data.
            whole = data.rfind(_END_OF_IMAGE) > data.rfind(_START_OF_SCAN)
        elif data[:4] == _RIFF:
            whole = struct.unpack_from("<I", data, 4)[0] + 8 <= len(data)
        else:
            return
    if not whole:
        raise ImageError(f"{path}: truncated or damaged (the file ends before its picture does)")


def _png_is_whole(data: mmap.mmap) -> bool:
    at = len(_PNG)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if kind == b"IEND":
            return at <= len(data)
    return False
