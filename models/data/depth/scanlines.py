"""Disparities that neighbours agree on: semi-global matching (Hirschmueller, PAMI 2008) along rows and columns."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

_BETWEEN = 64  # lines from one call of ``between`` to the next


def agree(
    costs: Tensor, guide: Tensor, *, slope: float, jump: float, likeness: float, between: Callable[[], None]
) -> Tensor:
    """Costs of the best paths through each pixel and plane, along the four directions.

    Args:
        costs: ``[H, W, D]`` of every plane at every pixel.
        guide: ``[C, H, W]`` colours.
        slope: costs of going on to a neighbouring plane.
        jump: costs of going on to any other plane, between pixels of one colour; less where colours change.
        likeness: difference of colours, summed over the channels, at which a jump costs a third of that.

    Returns: ``[H, W, D]``.
    """
    colours = guide.permute(1, 2, 0)
    total = torch.zeros_like(costs)
    for axis in (0, 1):  # down and up the columns, along the rows and back
        steps = (colours.diff(dim=axis).abs().sum(2) / -likeness).exp_()
        jumps = (slope + (jump - slope) * steps)[:, :, None].unbind(axis)
        lines, sums = costs.unbind(axis), total.unbind(axis)
        _walk(lines, sums, jumps, slope, between)
        _walk(lines[::-1], sums[::-1], jumps[::-1], slope, between)
    return total


def _walk(
    lines: tuple[Tensor, ...],
    sums: tuple[Tensor, ...],
    jumps: tuple[Tensor, ...],
    slope: float,
    between: Callable[[], None],
) -> None:
    """Go from line to line ``[N, D]``, all N paths at once, and add the costs of the paths to ``sums``."""
    path = lines[0]
    sums[0].add_(path)
    for number, (line, total, jump) in enumerate(zip(lines[1:], sums[1:], jumps, strict=True)):
        if number % _BETWEEN == 0:
            between()
        least = path.amin(1, keepdim=True)
        beside = F.pad(path, (1, 1), value=float("inf"))
        onward = torch.minimum(beside[:, 2:], beside[:, :-2]).add_(slope)
        path = torch.minimum(onward, path).minimum(least + jump).sub_(least).add_(line)
        total.add_(path)
