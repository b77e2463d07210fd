"""Decoded pictures as a network's input and output: as they are stored, restored in place."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..io.srgb import linear_to_srgb, srgb_to_linear
from .tiles import Span


class PictureBuffer:
    """Gives the tiles of a decoded picture and takes the results, which replace its colours; alpha stays.

    Floating point is linear light: the network sees it encoded and cut to [0, 1], and what was cut off is added to the
    result again, so that highlights keep what they are above white.

    The whole picture is held only as it is stored. A row of tiles is copied before it is overwritten, for the row
    below still needs the lower part of it.

    Args:
        pictures: the one to restore, ``[H, W, 1 to 4]`` uint8, uint16 or float32, and for a dual-view network its left
            and right view.
        progress: is told the number of pixels that are finished.
    """

    def __init__(self, pictures: Sequence[np.ndarray], progress: Callable[[int], None] = lambda _: None) -> None:
        self._center, *self._sides = pictures
        self._progress = progress
        self._colours = _colours(self._center)
        self._rows = self._center[:0].copy()  # as they were, down to self._bottom
        self._top = self._bottom = 0

    def read(self, row: Span, column: Span) -> Tensor:
        """``[1, 3 * pictures, h, w]`` float32 in [-1, 1]."""
        if (row.start, row.stop) != (self._top, self._bottom):
            kept = self._rows[row.start - self._top :]
            self._rows = np.concatenate([kept, self._center[self._bottom : row.stop]])
            self._top, self._bottom = row.start, row.stop
        tiles = [self._rows, *(side[row.start : row.stop] for side in self._sides)]
        parts = [_signed(tile[:, column.start : column.stop, : _colours(tile)]) for tile in tiles]
        return torch.cat(parts)[None]

    def write(self, top: int, left: int, block: Tensor) -> None:
        """Take ``[3, h, w]`` in [-1, 1]. Raises FloatingPointError: it holds NaN or infinite values."""
        if not bool(torch.isfinite(block).all()):
            raise FloatingPointError("the network gives NaN or infinite values; try --dtype float32")
        if self._colours == 1:
            block = block.mean(0, keepdim=True)
        height, width = block.shape[1:]
        place = self._center[top : top + height, left : left + width, : self._colours]
        if self._center.dtype == np.float32:
            light = srgb_to_linear(((block.float() + 1) / 2).clamp_(0, 1)).permute(1, 2, 0).cpu().numpy()
            place[...] = light + (place - np.clip(place, 0, 1))
        else:
            levels = np.iinfo(self._center.dtype).max
            steps = ((block + 1) * (levels / 2)).clamp_(0, levels).round_().to(torch.int32)
            place[...] = steps.permute(1, 2, 0).cpu().numpy()
        self._progress(height * width)


def _colours(pixels: np.ndarray) -> int:
    return 1 if pixels.shape[2] <= 2 else 3


def _signed(tile: np.ndarray) -> Tensor:
    """``[h, w, 1 or 3]`` integers, or linear light, to ``[3, h, w]`` float32 in [-1, 1]."""
    values = torch.from_numpy(tile.astype(np.float32)).permute(2, 0, 1)
    if tile.dtype == np.float32:
        return (linear_to_srgb(values.clamp(0, 1)) * 2 - 1).expand(3, -1, -1)
    return (values * (2 / np.iinfo(tile.dtype).max) - 1).expand(3, -1, -1)
