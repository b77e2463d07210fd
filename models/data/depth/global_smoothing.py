"""Flat surfaces get the disparity of what surrounds them: the fast global smoother (Min et al., TIP 2014).

The map ``u`` that minimises ``sum weight * (u - disparity)**2 + sum tie * (u - neighbour's u)**2``, along columns and
rows in turns, each a tridiagonal system. In NumPy, as the scanlines are, for the same reason.
"""

import numpy as np
import torch
from torch import Tensor

_ROUNDS = 3


def smooth_globally(disparity: Tensor, weights: Tensor, ties: tuple[Tensor, Tensor], strength: float) -> Tensor:
    """``[H, W]`` float32, on the device of ``disparity``.

    Args:
        disparity: ``[H, W]``.
        weights: ``[H, W]``, above 0: how much each value is worth.
        ties: ``[H-1, W]`` and ``[H, W-1]``, 0 to 1: how much neighbours belong together.
        strength: of the ties.
    """
    values, worth, down, across = (one.cpu().numpy() for one in (disparity, weights, *ties))
    for turn in range(_ROUNDS):
        # As the authors have it: each round pulls a quarter as much as the one before, which leaves no streaks.
        share = np.float32(1.5 * strength * 4 ** (_ROUNDS - 1 - turn) / (4**_ROUNDS - 1))
        values = _solve(values, worth, down * share)
        values = _solve(values.T, worth.T, across.T * share).T
    return torch.from_numpy(np.ascontiguousarray(values)).to(disparity.device)


def _solve(values: np.ndarray, weights: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Along the first axis of ``[N, M]``: Thomas' algorithm, all M systems at once."""
    values, weights, ties = (np.ascontiguousarray(one) for one in (values, weights, ties))
    nothing = np.zeros_like(values[:1])
    below, above = np.concatenate([ties, nothing]), np.concatenate([nothing, ties])
    pivots = weights + below + above
    solved = weights * values
    factors = below
    factors[0] /= pivots[0]
    solved[0] /= pivots[0]
    for line in range(1, len(solved)):
        pivots[line] -= above[line] * factors[line - 1]
        solved[line] += above[line] * solved[line - 1]
        solved[line] /= pivots[line]
        factors[line] /= pivots[line]
    for line in range(len(solved) - 2, -1, -1):
        solved[line] += factors[line] * solved[line + 1]
    return solved
