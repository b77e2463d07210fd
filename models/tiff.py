"""A check that TIFF decoding lacks: libtiff reads the missing end of an uncompressed file as zeros."""

import mmap
import struct
from pathlib import Path

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
