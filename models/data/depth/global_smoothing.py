"""Flat surfaces get the disparity of what surrounds them: the fast global smoother (Min et al., TIP 2014).

The map ``u`` that minimises ``sum weight * (u - disparity)**2 + sum tie * (u - neighbour's u)**2``, along columns and
rows in turns, each a tridiagonal system.
"""

import torch
from torch import Tensor

_ROUNDS = 3


def smooth_globally(disparity: Tensor, weights: Tensor, ties: tuple[Tensor, Tensor], strength: float) -> Tensor:
    """``[H, W]``.

    Args:
        disparity: ``[H, W]``.
        weights: ``[H, W]``, above 0: how much each value is worth.
        ties: ``[H-1, W]`` and ``[H, W-1]``, 0 to 1: how much neighbours belong together.
        strength: of the ties.
    """
    for turn in range(_ROUNDS):
        # As the authors have it: each round pulls a quarter as much as the one before, which leaves no streaks.
        share = 1.5 * strength * 4 ** (_ROUNDS - 1 - turn) / (4**_ROUNDS - 1)
        disparity = _solve(disparity, weights, ties[0] * share)
        disparity = _solve(disparity.t(), weights.t(), ties[1].t() * share).t()
    return disparity.contiguous()


def _solve(values: Tensor, weights: Tensor, ties: Tensor) -> Tensor:
    """Along the first axis of ``[N, M]``: Thomas' algorithm, all M systems at once."""
    nothing = torch.zeros_like(values[:1])
    below, above = torch.cat([ties, nothing]), torch.cat([nothing, ties])
    diagonals = (weights + below + above).unbind(0)
    pulls, belows, aboves = (weights * values).unbind(0), below.unbind(0), above.unbind(0)
    factors, sums = [belows[0] / diagonals[0]], [pulls[0] / diagonals[0]]
    for diagonal, pull, down, up in zip(diagonals[1:], pulls[1:], belows[1:], aboves[1:], strict=True):
        pivot = torch.addcmul(diagonal, up, factors[-1], value=-1)
        sums.append(torch.addcmul(pull, up, sums[-1]).div_(pivot))
        factors.append(down / pivot)
    solved = [sums[-1]]
    for total, factor in zip(sums[-2::-1], factors[-2::-1], strict=True):
        solved.append(torch.addcmul(total, factor, solved[-1]))
    return torch.stack(solved[::-1])
