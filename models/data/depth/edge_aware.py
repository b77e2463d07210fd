"""Smoothing that keeps to what belongs together: over neighbours of like colour, by ``dynamic_filter``."""

import torch
import torch.nn.functional as F
from torch import Tensor

import lfdeblur_ops

NEAR = 3.0  # pixels: standard deviation over places


class EdgeAware:
    """A bilateral filter with one guide (Tomasi and Manduchi, ICCV 1998; joint: Petschnigg et al., SIGGRAPH 2004).

    Args:
        guide: ``[C, H, W]`` colours.
        size: pixels, odd.
        likeness: standard deviation over the distance of two colours.
    """

    def __init__(self, guide: Tensor, size: int, likeness: float) -> None:
        reach = size // 2
        height, width = guide.shape[1:]
        padded = F.pad(guide[None], (reach,) * 4, mode="replicate")[0]
        filters = torch.empty(1, size * size, height, width, device=guide.device)
        for tap in range(size * size):
            y, x = divmod(tap, size)
            difference = padded[:, y : y + height, x : x + width] - guide
            squares = difference.square_().sum(0).div_(-2 * likeness**2)
            away = ((y - reach) ** 2 + (x - reach) ** 2) / (2 * NEAR**2)
            torch.exp(squares.sub_(away), out=filters[0, tap])
        self._filters, self._size = filters.div_(filters.sum(1, keepdim=True)), size

    def __call__(self, maps: Tensor) -> Tensor:
        """``[N, H, W]`` smoothed, float32."""
        return lfdeblur_ops.dynamic_filter(maps[None], self._filters, self._size)[0]


def median(picture: Tensor, size: int) -> Tensor:
    """Median over a square window, ``[H, W]``, some rows at a time to save memory."""
    padded = F.pad(picture[None, None], (size // 2,) * 4, mode="replicate")[0, 0]
    windows = padded.unfold(0, size, 1).unfold(1, size, 1)
    return torch.cat([part.flatten(2).median(-1).values for part in windows.split(64)])
