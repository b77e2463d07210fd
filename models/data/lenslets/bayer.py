"""Bayer patterns: colours of single pixels made into pictures, after Malvar, He and Cutler (ICASSP 2004).

"High-quality linear interpolation for demosaicing of Bayer-patterned color images": bilinear interpolation, corrected by
the gradient of the colour that a pixel has.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import LightFieldError

PATTERNS = ("RGGB", "GRBG", "GBRG", "BGGR")
REACH = 2  # pixels on every side that a demosaiced pixel depends on
_T = TypeVar("_T")
_TILE = [(0, 0), (0, 1), (1, 0), (1, 1)]
_BESIDE = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
_FAR = [(-2, 0), (2, 0), (0, -2), (0, 2)]
_OUTSIDE = 1e-3  # share of another lenslet's pixels: they count where there are no others

# Green at red and blue; red at a green pixel whose row has red; red at a green pixel whose column has; red at blue.
_GREEN = [[0, 0, -2, 0, 0], [0, 0, 4, 0, 0], [-2, 4, 8, 4, -2], [0, 0, 4, 0, 0], [0, 0, -2, 0, 0]]
_ROW = [[0, 0, 1, 0, 0], [0, -2, 0, -2, 0], [-2, 8, 10, 8, -2], [0, -2, 0, -2, 0], [0, 0, 1, 0, 0]]
_OTHER = [[0, 0, -3, 0, 0], [0, 4, 0, 4, 0], [-3, 0, 12, 0, -3], [0, 4, 0, 4, 0], [0, 0, -3, 0, 0]]


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


def demosaic(mosaic: Tensor, pattern: str, lenslets: Tensor | None = None) -> Tensor:
    """Red, green and blue of every pixel.

    Args:
        mosaic: ``[H, W]`` floating point, at least 3x3.
        pattern: one of ``PATTERNS``.
        lenslets: ``[H, W]``, a number for each lenslet, the same in all pixels below it. Next to its edge, pixels of
            its neighbours are left out: they see other places from other sides. (David, Le Pendu and Guillemot, "White
            lenslet image guided demosaicing for plenoptic cameras", MMSP 2017, weigh them by the white picture.)

    Returns: ``[3, H, W]``; not cut to the range of the mosaic.
    """
    row = torch.tensor(_ROW)
    kernels = torch.stack([torch.tensor(_GREEN), row, row.T, torch.tensor(_OTHER)])[:, None].to(mosaic) / 16
    padded = F.pad(mosaic[None, None], (REACH,) * 4, mode="reflect")  # keeps the order of the colours
    green, of_row, of_column, other = F.conv2d(padded, kernels)[0]
    out = mosaic.repeat(3, 1, 1)
    for index, (letter, (y, x)) in enumerate(zip(pattern, _TILE, strict=True)):
        here = (slice(y, None, 2), slice(x, None, 2))
        if letter == "G":
            beside = pattern[index ^ 1]  # the other colour of this row
            out["RB".index(beside) * 2][here] = of_row[here]
            out["BR".index(beside) * 2][here] = of_column[here]
        else:
            out[1][here] = green[here]
            out["BR".index(letter) * 2][here] = other[here]
    if lenslets is not None:
        numbers = F.pad(lenslets.to(mosaic)[None, None], (REACH,) * 4, mode="reflect")
        _mend_edges(out, padded[0, 0], numbers[0, 0], pattern)
    return out


def _mend_edges(out: Tensor, padded: Tensor, lenslets: Tensor, pattern: str) -> None:
    """Where the filters reach into another lenslet: means of the own lenslet's pixels, corrected by its own gradient."""
    values, numbers = ([picture[y::2, x::2].contiguous() for y, x in _TILE] for picture in (padded, lenslets))
    for index, (letter, (y, x)) in enumerate(zip(pattern, _TILE, strict=True)):
        planes_of_out = [plane[y::2, x::2] for plane in out]
        height, width = planes_of_out[0].shape

        def at(planes: list[Tensor], way: tuple[int, int], y: int = y + REACH, x: int = x + REACH) -> Tensor:
            row, column = y + way[0], x + way[1]
            plane = planes[2 * (row % 2) + column % 2]
            return plane[row // 2 :, column // 2 :]

        def fit(plane: Tensor, height: int = height, width: int = width) -> Tensor:
            return plane[:height, :width]

        own, number = fit(at(values, (0, 0))), fit(at(numbers, (0, 0)))
        same = {way: (fit(at(numbers, way)) == number).to(own) for way in (*_BESIDE, *_FAR)}
        edge = number.new_ones(number.shape)
        for share in same.values():
            edge *= share
        gradient = torch.zeros_like(own)
        for way in _FAR:
            gradient.addcmul_(own - fit(at(values, way)), same[way], value=0.5 / len(_FAR))
        for channel, wanted in enumerate("RGB"):
            if wanted == letter:
                continue
            total, shares = torch.zeros_like(own), torch.zeros_like(own)
            for way in _BESIDE:
                if pattern[2 * ((y + way[0]) % 2) + (x + way[1]) % 2] == wanted:
                    share = same[way] + _OUTSIDE
                    shares += share
                    total.addcmul_(fit(at(values, way)), share)
            plane = planes_of_out[channel]
            plane.copy_(torch.where(edge == 0, total.div_(shares).add_(gradient), plane))
