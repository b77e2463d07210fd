"""Disparities that neighbours agree on: semi-global matching (Hirschmueller, PAMI 2008) along rows and columns.

In NumPy, wherever the costs lie: thousands of small steps, each after the other, are what it does fastest.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

_BETWEEN = 64  # lines from one call of ``between`` to the next


def agree(
    costs: Tensor, guide: Tensor, *, slope: float, jump: float, likeness: float, between: Callable[[], None]
) -> Tensor:
    """Costs of the best paths through each pixel and plane, along the four directions.

    Args:
        costs: ``[H, W, D]`` of every plane at every pixel, float32.
        guide: ``[C, H, W]`` colours.
        slope: costs of going on to a neighbouring plane.
        jump: costs of going on to any other plane, between pixels of one colour; less where colours change.
        likeness: difference of colours, summed over the channels, at which a jump costs a third of that.

    Returns: ``[H, W, D]``, on the device of ``costs``.
    """
    volume, colours = costs.cpu().numpy(), guide.cpu().numpy()

    def along(axis: int) -> np.ndarray:
        """Down and up the columns (0), or along the rows and back (1)."""
        total = np.zeros_like(volume)
        ties = np.exp(np.abs(np.diff(colours, axis=axis + 1)).sum(0) / -likeness)
        jumps = np.moveaxis(slope + (jump - slope) * ties, axis, 0)[..., None].astype(np.float32)
        lines, sums = np.moveaxis(volume, axis, 0), np.moveaxis(total, axis, 0)
        _walk(lines, sums, jumps, slope, between)
        _walk(lines[::-1], sums[::-1], jumps[::-1], slope, between)
        return total

    with ThreadPoolExecutor(min(2, torch.get_num_threads())) as pool:
        down, across = pool.map(along, (0, 1))
    return torch.from_numpy(np.add(down, across, out=down)).to(costs.device)


def _walk(lines: np.ndarray, sums: np.ndarray, jumps: np.ndarray, slope: float, between: Callable[[], None]) -> None:
    """Go from line to line ``[N, D]``, all N paths at once, and add the costs of the paths to ``sums``."""
    path = lines[0].copy()
    sums[0] += path
    beside = np.full((path.shape[0], path.shape[1] + 2), np.inf, np.float32)
    onward = np.empty_like(path)
    for number, (line, total, jump) in enumerate(zip(lines[1:], sums[1:], jumps, strict=True)):
        if number % _BETWEEN == 0:
            between()
        least = path.min(1, keepdims=True)
        beside[:, 1:-1] = path
        np.minimum(beside[:, 2:], beside[:, :-2], out=onward)
        onward += np.float32(slope)
        np.minimum(path, onward, out=path)
        np.minimum(path, least + jump, out=path)
        path -= least
        path += line
        total += path
