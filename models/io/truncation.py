"""Whether all of a picture file is there, without decoding it.

TIFF decoding lacks such a check: libtiff reads the missing end of an uncompressed file as zeros.
"""

import mmap
import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .errors import ImageError
from .png import SIGNATURE

_OFFSETS_AND_COUNTS = {273: 279, 324: 325}  # of strips, of tiles
_SUBFILE, _WIDTH, _HEIGHT = 254, 256, 257
_TAGS = {_SUBFILE, _WIDTH, _HEIGHT, *_OFFSETS_AND_COUNTS, *_OFFSETS_AND_COUNTS.values()}
_WIDTHS = {3: "H", 4: "I", 16: "Q"}  # SHORT, LONG, LONG8
_MOST_PAGES = 1000

Directory = dict[int, tuple[int, ...]]


class Page(NamedTuple):
    """Of a TIFF file. ``reduced``: it says, or its size does, that it is a smaller copy of the first."""

    reduced: bool


def tiff_pages(path: Path) -> list[Page]:
    """The pages of a TIFF file, without those that hang below others.

    Raises:
        struct.error: a directory lies beyond the end.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        directories = list(islice(_directories(data), _MOST_PAGES))
    pages = []
    for index, page in enumerate(directories):
        says = bool(page.get(_SUBFILE, (0,))[0] & 1)
        sizes = ((page.get(tag, (0,))[0], directories[0].get(tag, (0,))[0]) for tag in (_WIDTH, _HEIGHT))
        pages.append(Page(index > 0 and (says or all(own < first for own, first in sizes))))
    return pages


def missing_bytes(path: Path) -> int:
    """How many bytes the first picture's strips or tiles reach beyond the end of the file; 0: it is whole.

    Raises:
        struct.error: the directory itself lies beyond the end.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found: Directory = next(_directories(data), {})
        ends = [
            offset + count
            for offsets, counts in _OFFSETS_AND_COUNTS.items()
            for offset, count in zip(found.get(offsets, ()), found.get(counts, ()), strict=False)
        ]
        return max(0, max(ends, default=0) - len(data))


def _directories(data: mmap.mmap) -> Iterator[Directory]:
    """What the pages say of themselves, in the file's order; none where it is no TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    word, entry_size = ("Q", 20) if big else ("I", 12)
    start = struct.unpack_from(order + word, data, 8 if big else 4)[0]
    seen: set[int] = set()
    while start and start not in seen:
        seen.add(start)
        (entries,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
        start += 8 if big else 2
        found: Directory = {}
        for i in range(entries):
            at = start + i * entry_size
            tag, kind, count = struct.unpack_from(order + "HH" + word, data, at)
            if kind in _WIDTHS and tag in _TAGS:
                values = order + str(count) + _WIDTHS[kind]
                inline = at + 4 + struct.calcsize(order + word)
                if struct.calcsize(values) > struct.calcsize(order + word):
                    (inline,) = struct.unpack_from(order + word, data, inline)
                found[tag] = struct.unpack_from(values, data, inline)
        yield found
        (start,) = struct.unpack_from(order + word, data, start + entries * entry_size)


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
