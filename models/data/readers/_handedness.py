"""Whether the columns of views run from left to right, seen in the views themselves."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

STEPS = torch.arange(-6.0, 6.01, 0.5)  # pixels between neighbouring views
_WINDOW, _TEXTURED, _CLEAR = 9, 0.7, 0.85


def columns_backwards(center: np.ndarray, next_column: np.ndarray, next_row: np.ndarray) -> bool | None:
    """Compare what two neighbours of a view tell about depth: with the columns backwards, one contradicts the other.

    A point shifts by as much from a view to the one below as to the one on its right. So at each textured pixel the
    same disparity must explain both neighbours; where instead the opposite of the one explains the other, "right" is
    left.

    Args:
        center, next_column, next_row: ``[H, W]`` float in [0, 1]: a view, the one that is taken to be on its right, and
            the one below.

    Returns: True: they run from right to left; None: the views do not tell (flat, noise, or all at disparity 0).
    """
    middle, right, below = (
        torch.from_numpy(np.ascontiguousarray(view, np.float32)) for view in (center, next_column, next_row)
    )
    texture = _mean(middle.diff(dim=-1).abs()[:-1] + middle.diff(dim=-2).abs()[:, :-1])
    textured = texture >= texture.flatten().kthvalue(max(1, int(texture.numel() * _TEXTURED))).values
    across = torch.stack([_mean((_shifted(right, step, -1) - middle).abs())[:-1, :-1] for step in STEPS.tolist()])
    down = torch.stack([_mean((_shifted(below, step, -2) - middle).abs())[:-1, :-1] for step in STEPS.tolist()])
    forwards = (across + down).amin(0)[textured].mean()
    backwards = (across.flip(0) + down).amin(0)[textured].mean()
    if min(forwards, backwards) < _CLEAR * max(forwards, backwards):
        return bool(backwards < forwards)
    return None


def _shifted(view: Tensor, by: float, dim: int) -> Tensor:
    """What the centre would look like, were all of the scene at disparity ``by``; linear between pixels."""
    whole = int(np.floor(by))
    part = by - whole
    return view.roll(whole, dim) * (1 - part) + view.roll(whole + 1, dim) * part


def _mean(picture: Tensor) -> Tensor:
    return F.avg_pool2d(picture[None], _WINDOW, stride=1, padding=_WINDOW // 2)[0]
