"""Whether all of a picture file is there, without decoding it.

TIFF decoding lacks such a check: libtiff reads the missing end of an uncompressed file as zeros.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from .errors import ImageError
from .png import SIGNATURE

_OFFSETS_AND_COUNTS = {273: 279, 324: 325}  # of strips, of tiles
_WIDTHS = {3: "H", 4: "I", 16: "Q"}  # SHORT, LONG, LONG8


def missing_bytes(path: Path) -> int:
    """How many bytes the first picture's strips or tiles reach beyond the end of the file; 0: it is whole.

    Raises:
        struct.error: the directory itself lies beyond the end.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _missing(data)


def _missing(data: mmap.mmap) -> int:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return 0
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    word, entry_size = ("Q", 20) if big else ("I", 12)
    start = struct.unpack_from(order + word, data, 8 if big else 4)[0]
    (entries,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    start += 8 if big else 2
    found: dict[int, tuple[int, ...]] = {}
    for i in range(entries):
        at = start + i * entry_size
        tag, kind, count = struct.unpack_from(order + "HH" + word, data, at)
        if kind in _WIDTHS and (tag in _OFFSETS_AND_COUNTS or tag in _OFFSETS_AND_COUNTS.values()):
            values = order + str(count) + _WIDTHS[kind]
            inline = at + 4 + struct.calcsize(order + word)
            if struct.calcsize(values) > struct.calcsize(order + word):
                (inline,) = struct.unpack_from(order + word, data, inline)
            found[tag] = struct.unpack_from(values, data, inline)
    ends = [
        offset + count
        for offsets, counts in _OFFSETS_AND_COUNTS.items()
        for offset, count in zip(found.get(offsets, ()), found.get(counts, ()), strict=False)
    ]
    return max(0, max(ends, default=0) - len(data))


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


def _png_is_whole(data: mmap.mmap) -> bool:
    return any(kind == b"IEND" for kind, _ in png_chunks(data))


def png_chunks(data: mmap.mmap) -> Iterator[tuple[bytes, int]]:
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
