"""Networks on pictures of any size: overlapped tiles whose seams are blended.

A tile gives what the whole picture gives wherever the network sees nothing beyond the tile's edges. The picture's own
borders are the tiles' borders there, so the network treats them (reflection up to its multiple, zeros in convolutions)
just as it does for the whole picture.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

BLEND = 16  # pixels on each side of a seam over which two tiles are mixed, at most


@dataclass(frozen=True)
class Span:
    """A tile along one axis: it reads ``start`` to ``stop`` and gives ``first`` to ``last``, mixed strips included."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class Grid:
    """Tiles of a picture: every pair of a row and a column is one; neighbours share ``2 * blend`` pixels of results."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    blend: int

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of the largest tile."""
        return max(s.stop - s.start for s in self.rows), max(s.stop - s.start for s in self.columns)

    @property
    def computed(self) -> int:
        """Pixels that all tiles read together: the work, against the picture's own pixels."""
        return sum(s.stop - s.start for s in self.rows) * sum(s.stop - s.start for s in self.columns)


def grid(height: int, width: int, tile: tuple[int, int], overlap: int, multiple: int) -> Grid:
    """Tiles of equal size, as small as their number allows, evenly spread.

    Args:
        height, width: of the picture.
        tile: largest height and width of a tile, a multiple of ``multiple`` each.
        overlap: pixels that a tile reads at least beyond its own part on each side, a multiple of ``multiple``; at the
            picture's border there is nothing to read.
        multiple: the tiles' origins are multiples of it, and so are their sizes, save where the picture ends.

    Raises: ValueError: a tile is no larger than its overlaps, or one of them is no multiple of ``multiple``.
    """
    if overlap % multiple or overlap < 0:
        raise ValueError(f"overlap: got {overlap}, want a multiple of {multiple}")
    for length, size in ((height, tile[0]), (width, tile[1])):
        if size % multiple or (size < length and size < 2 * overlap + multiple):
            raise ValueError(f"tile: got {size}, want a multiple of {multiple} of at least {2 * overlap + multiple}")
    starts = [_starts(length, size, overlap, multiple) for length, size in ((height, tile[0]), (width, tile[1]))]
    own = [b - a for line in starts for a, b in zip(line[0], line[0][1:], strict=False)]
    blend = min([BLEND, overlap // 2, *(step // 2 for step in own)]) if own else 0
    rows, columns = (_spans(*line, length, blend) for line, length in zip(starts, (height, width), strict=True))
    return Grid(rows, columns, blend)


def _starts(length: int, tile: int, overlap: int, multiple: int) -> tuple[list[int], int]:
    """Origins of the tiles along one axis, and their size."""
    if length <= tile:
        return [0], length
    count = math.ceil((length - 2 * overlap) / (tile - 2 * overlap))
    padded = math.ceil(length / multiple)  # in units of the multiple, as all below
    shared = 2 * overlap // multiple
    size = math.ceil((padded + (count - 1) * shared) / count)
    last = padded - size
    return [i * last // (count - 1) * multiple for i in range(count)], size * multiple


def _spans(starts: list[int], size: int, length: int, blend: int) -> tuple[Span, ...]:
    stops = [min(start + size, length) for start in starts]
    seams = [(stop + start) // 2 for stop, start in zip(stops, starts[1:], strict=False)]
    firsts = [0, *(seam - blend for seam in seams)]
    lasts = [*(seam + blend for seam in seams), length]
    return tuple(Span(*span) for span in zip(starts, stops, firsts, lasts, strict=True))


def fitting_grid(height: int, width: int, pixels: float, overlap: int, multiple: int) -> Grid | None:
    """The grid of tiles of at most ``pixels`` pixels that computes the least; None where no tile is that small."""
    least = 2 * overlap + multiple
    found: list[tuple[int, int, int]] = []  # pixels computed, height and width of the tiles
    for count in itertools.count(1):
        _, rows = _starts(height, _size(height, count, overlap, multiple), overlap, multiple)
        across = min(int(pixels / rows) // multiple, math.ceil(width / multiple)) * multiple
        if across >= min(width, least):
            starts, columns = _starts(width, across, overlap, multiple)
            found.append((count * rows * len(starts) * columns, rows, across))
        if rows <= least:
            break
    if not found:
        return None
    _, rows, across = min(found)
    return grid(height, width, (math.ceil(rows / multiple) * multiple, across), overlap, multiple)


def _size(length: int, count: int, overlap: int, multiple: int) -> int:
    """Length of ``count`` tiles that cover ``length``."""
    size = math.ceil((length + (count - 1) * 2 * overlap) / count / multiple) * multiple
    return size if count == 1 else max(size, 2 * overlap + multiple)


@torch.inference_mode()
def run_tiles(
    network: Callable[[Tensor], Tensor],
    tiles: Grid,
    read: Callable[[Span, Span], Tensor],
    write: Callable[[int, int, Tensor], None],
) -> None:
    """Run a network tile by tile, a row of tiles after the other, and mix the tiles linearly across their seams.

    Args:
        network: from ``[1, K, h, w]`` to ``[1, 3, h, w]``.
        tiles: where they lie.
        read: gives the pixels of a tile, ``[1, K, h, w]``, as ``network`` takes them.
        write: takes top, left and a finished block, ``[3, h, w]`` float32 on the network's device. Each pixel comes
            once, after the tiles that give it are read.
    """
    fade = torch.linspace(0, 1, 2 * tiles.blend + 2)[1:-1]
    above: Tensor | None = None  # the last rows of the row of tiles above, [3, 2 * blend, W]
    for row in tiles.rows:
        aside: Tensor | None = None  # the last columns of the tile to the left
        below: list[Tensor] = []
        bottom = row is not tiles.rows[-1]
        for column in tiles.columns:
            result = network(read(row, column))[0].float()
            block = result[
                :,
                row.first - row.start : row.last - row.start,
                column.first - column.start : column.last - column.start,
            ]
            del result
            fade = fade.to(block.device)
            if aside is not None:
                _mix(aside, block[:, :, : 2 * tiles.blend], fade)
            if column is not tiles.columns[-1]:
                block, aside = _cut(block, tiles.blend, 2)
            if above is not None:
                _mix(
                    above[:, :, column.first : column.first + block.shape[2]],
                    block[:, : 2 * tiles.blend],
                    fade[:, None],
                )
            if bottom:
                block, strip = _cut(block, tiles.blend, 1)
                below.append(strip)
            write(row.first, column.first, block)
        above = torch.cat(below, 2) if below else None


def _mix(old: Tensor, new: Tensor, fade: Tensor) -> None:
    """``new`` becomes ``old`` where ``fade`` is 0; exact where both agree."""
    new.copy_(torch.lerp(old, new, fade))


def _cut(block: Tensor, blend: int, axis: int) -> tuple[Tensor, Tensor]:
    """The block without its last ``2 * blend`` pixels along an axis, and a copy of these."""
    kept = block.shape[axis] - 2 * blend
    return block.narrow(axis, 0, kept), block.narrow(axis, kept, 2 * blend).clone()
