"""What a picture file is, and whether all of it is there, without decoding it."""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from ..images import ImageError, ImageInfo, open_image
from .png import SIGNATURE

_JPEG, _RIFF = b"\xff\xd8\xff", b"RIFF"
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


def check_whole(path: Path) -> None:
    """Raise ImageError where a PNG, JPEG or WebP file was cut off; TIFF files are checked when they are opened.

    Decoders find that only when they come to the missing part, which may be hours after the file was named.
    """
    if not path.is_file() or path.stat().st_size < 16:
        return  # what it is instead of a picture is told by whoever opens it
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:8] == SIGNATURE:
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


def picture_header(path: Path) -> ImageInfo:
    """What a picture file holds, of a file that is all there.

    A plain PNG tells it in its first bytes, sooner than an opened decoder does: light fields have hundreds.

    Raises:
        ImageError: as ``open_image`` and ``check_whole``.
    """
    info = _plain_png(path)
    if info is None:
        check_whole(path)
        info = open_image(path)[1]
    return info


def _plain_png(path: Path) -> ImageInfo | None:
    """None where it is no whole PNG of grey or RGB, or has what its reader has to look at: alpha, palette, EXIF."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            chunks = dict(_png_chunks(data))
            if b"IHDR" not in chunks or b"IDAT" not in chunks or b"IEND" not in chunks or b"eXIf" in chunks:
                return None
            width, height, bits, colours = struct.unpack_from(">IIBB", data, chunks[b"IHDR"])
    except (OSError, ValueError, struct.error):  # missing, empty or broken: whoever opens it tells that
        return None
    if bits not in (8, 16) or colours not in (0, 2) or not 0 < width < 2**31 or not 0 < height < 2**31:
        return None
    return ImageInfo(format="png", bits=bits, channels=1 if colours == 0 else 3, height=height, width=width)


def _png_is_whole(data: mmap.mmap) -> bool:
    return any(kind == b"IEND" for kind, _ in _png_chunks(data))


def _png_chunks(data: mmap.mmap) -> Iterator[tuple[bytes, int]]:
    """Kind and place of every chunk that ends within the file, up to the last one."""
    at = len(SIGNATURE) if data[: len(SIGNATURE)] == SIGNATURE else len(data)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            return
        yield kind, at + 8
        if kind == b"IEND":
            return
        at += 12 + length
