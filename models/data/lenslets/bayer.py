"""Bayer patterns: colours of single pixels made into pictures, after Malvar, He and Cutler (ICASSP 2004).

"High-quality linear interpolation for demosaicing of Bayer-patterned color images": the mean of the nearest pixels of
the colour that is missing, corrected by how far the pixel's own colour is from that of its surroundings.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from ..errors import LightFieldError

PATTERNS = ("RGGB", "GRBG", "GBRG", "BGGR")
REACH = 2  # pixels on every side that a demosaiced pixel depends on
_T = TypeVar("_T")
_Way = tuple[int, int]
_TILE: list[_Way] = [(0, 0), (0, 1), (1, 0), (1, 1)]
_ACROSS: list[_Way] = [(0, -1), (0, 1)]
_DOWN: list[_Way] = [(-1, 0), (1, 0)]
_DIAGONAL: list[_Way] = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
_FAR_ACROSS: list[_Way] = [(0, -2), (0, 2)]
_FAR_DOWN: list[_Way] = [(-2, 0), (2, 0)]
_OUTSIDE = np.float32(1e-3)  # share of another lenslet's pixels: they count where there are no others


def check_pattern(name: str, pattern: str) -> str:
    """The pattern in capitals. Raises LightFieldError that names the argument: it is none of ``PATTERNS``."""
    if pattern.upper() not in PATTERNS:
        raise LightFieldError(f"{name}: got {pattern!r}, want one of {', '.join(PATTERNS)}, the upper left pixels")
    return pattern.upper()


def planes(picture: np.ndarray, pattern: str) -> Iterator[tuple[str, np.ndarray]]:
    """The four pictures of every second pixel, views of memory, and their colours; an odd picture's differ in size."""
    for letter, (y, x) in zip(pattern, _TILE, strict=True):
        yield letter, picture[y::2, x::2]


def shifted(tile: Sequence[_T], y: int, x: int) -> tuple[_T, ...]:
    """What belongs to the four pixels of a pattern, for the part of a picture that begins at this pixel."""
    return tuple(tile[2 * ((row + y) % 2) + (column + x) % 2] for row, column in _TILE)


def transposed(pattern: str) -> str:
    """The pattern of a picture whose rows and columns have changed places."""
    return pattern[0] + pattern[2] + pattern[1] + pattern[3]


def demosaic(mosaic: np.ndarray, pattern: str, lenslets: np.ndarray | None = None) -> np.ndarray:
    """Red, green and blue of every pixel.

    Args:
        mosaic: ``[H, W]`` float32, at least 3x3.
        pattern: one of ``PATTERNS``.
        lenslets: ``[H, W]``, a number for each lenslet, the same in all pixels below it. Next to its edge, pixels of
            its neighbours are left out: they see other places from other sides. (David, Le Pendu and Guillemot, "White
            lenslet image guided demosaicing for plenoptic cameras", MMSP 2017, weigh them by the white picture.)

    Returns: ``[3, H, W]``; not cut to the range of the mosaic.
    """
    out = np.empty((3, *mosaic.shape), np.float32)
    values = _Planes(mosaic)
    numbers = None if lenslets is None else _Planes(lenslets)
    for index, (letter, (y, x)) in enumerate(zip(pattern, _TILE, strict=True)):
        own = values.near((y, x), (0, 0))
        out["RGB".index(letter), y::2, x::2] = own
        if letter == "G":
            diagonal = values.sum((y, x), _DIAGONAL)
            across, down = values.sum((y, x), _FAR_ACROSS), values.sum((y, x), _FAR_DOWN)
            for wanted, ways, along, beside in (
                (pattern[index ^ 1], _ACROSS, across, down),
                (pattern[index ^ 2], _DOWN, down, across),
            ):
                bend = (5 * own - diagonal - along + beside / 2) / 8
                out["RGB".index(wanted), y::2, x::2] = values.sum((y, x), ways) / 2 + bend
        else:
            bend = own - values.sum((y, x), [*_FAR_ACROSS, *_FAR_DOWN]) / 4
            out[1, y::2, x::2] = values.sum((y, x), [*_ACROSS, *_DOWN]) / 4 + bend / 2
            out["BR".index(letter) * 2, y::2, x::2] = values.sum((y, x), _DIAGONAL) / 4 + bend * 0.75
        if numbers is not None:
            _mend_edges(out, values, numbers, pattern, index)
    return out


class _Planes:
    """The four pictures of every second pixel, and what lies near their pixels; borders are mirrored."""

    def __init__(self, picture: np.ndarray) -> None:
        padded = np.pad(picture, REACH, mode="reflect")  # keeps the order of the colours
        self._planes = [np.ascontiguousarray(padded[y::2, x::2]) for y, x in _TILE]
        self._shape = picture.shape

    def near(self, first: _Way, way: _Way) -> np.ndarray:
        """Of the pixels that begin with ``first``, the ones that lie ``way`` off."""
        height, width = ((side - start + 1) // 2 for side, start in zip(self._shape, first, strict=True))
        y, x = (start + step + REACH for start, step in zip(first, way, strict=True))
        return self._planes[2 * (y % 2) + x % 2][y // 2 : y // 2 + height, x // 2 : x // 2 + width]

    def sum(self, first: _Way, ways: Sequence[_Way]) -> np.ndarray:
        total = self.near(first, ways[0]) + self.near(first, ways[1])
        for way in ways[2:]:
            total += self.near(first, way)
        return total


def _mend_edges(out: np.ndarray, values: _Planes, numbers: _Planes, pattern: str, index: int) -> None:
    """Where filters reach into another lenslet: means of the own lenslet's pixels, corrected by its own gradient."""
    first = y, x = _TILE[index]
    far = [*_FAR_ACROSS, *_FAR_DOWN]
    own, number = values.near(first, (0, 0)), numbers.near(first, (0, 0))
    same = {way: numbers.near(first, way) == number for way in (*_ACROSS, *_DOWN, *_DIAGONAL, *far)}
    edge = ~np.logical_and.reduce(list(same.values()))
    bend = np.zeros(own.shape, np.float32)
    for way in far:
        bend += (own - values.near(first, way)) * same[way]
    bend *= 0.5 / len(far)
    beside = {pattern[index ^ 1]: _ACROSS, pattern[index ^ 2]: _DOWN}
    if pattern[index] != "G":
        beside = {"G": [*_ACROSS, *_DOWN], pattern[index ^ 3]: _DIAGONAL}
    for wanted, ways in beside.items():
        total, shares = np.zeros(own.shape, np.float32), np.zeros(own.shape, np.float32)
        for way in ways:
            share = same[way] + _OUTSIDE
            shares += share
            total += values.near(first, way) * share
        total /= shares
        total += bend
        np.copyto(out["RGB".index(wanted), y::2, x::2], total, where=edge)
