"""A light field from one picture with depth: forward warp with occlusion order, gaps filled from behind."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .light_field import LightFieldError

SAME_SURFACE = 0.25  # pixels per view step: neighbours closer than this belong to one surface


def warp_to_light_field(light: Tensor, disparity: Tensor, grid: tuple[int, int]) -> Tensor:
    """Every view of a grid around one picture.

    The disparity map is pushed forward into each view, the nearer surface winning; cracks of one pixel in a slanted
    surface are closed; what the picture does not show, because something nearer hides it, takes the farthest of the
    surfaces beside it. Then each view fetches its colours from the picture, bilinear in linear light.

    Args:
        light: ``[C, H, W]`` floating point, linear light in [0, 1].
        disparity: ``[H, W]``, pixels per view step, positive = nearer; finite.
        grid: rows and columns of views, both odd: the middle one is ``light`` itself.

    Returns: ``[V, U, C, H, W]`` uint16, linear light.

    Raises:
        LightFieldError: an even grid, or sizes that disagree.
    """
    rows, columns = grid
    if rows % 2 == 0 or columns % 2 == 0:
        raise LightFieldError(f"grid: got {rows}x{columns} views to make, want odd numbers, so that there is a centre")
    if light.shape[-2:] != disparity.shape:
        raise LightFieldError(
            f"disparity: got size {list(disparity.shape)}, want {list(light.shape[-2:])} as the picture"
        )
    channels, height, width = light.shape
    views = torch.empty((rows, columns, channels, height, width), dtype=torch.uint16)
    for v in range(rows):
        for u in range(columns):
            offset = v - rows // 2, u - columns // 2
            view = light if offset == (0, 0) else _view(light, disparity, offset)
            views[v, u] = (view.clamp(0, 1) * 65535).round().to(torch.int32).to(torch.uint16)
    return views


def fill_from_behind(values: Tensor, known: Tensor, depth: Tensor) -> Tensor:
    """Fill gaps with the farthest of the nearest known pixels to the left, right, top and bottom.

    Args:
        values: ``[C, H, W]``.
        known: ``[H, W]`` bool, at least one true.
        depth: ``[H, W]`` disparity (larger is nearer); only known pixels count.

    Returns: ``[C, H, W]``; where a whole row and column are unknown, what the filled rows beside have.
    """
    if bool(known.all()):
        return values
    values, known, depth = values.clone(), known.clone(), depth.clone()
    while not bool(known.all()):
        best = torch.full_like(depth, float("inf"))
        source = torch.zeros_like(known, dtype=torch.long)
        flat = depth.flatten()
        for index in _neighbours(known):
            found = index >= 0
            candidate = torch.where(found, flat[index.clamp_min(0)], float("inf"))
            closer = candidate < best
            best, source = torch.where(closer, candidate, best), torch.where(closer, index, source)
        gap = ~known & torch.isfinite(best)
        if not bool(gap.any()):
            raise LightFieldError("disparity: no pixel is known")
        values[:, gap] = values.flatten(1)[:, source[gap]]
        depth[gap] = best[gap]
        known |= gap
    return values


def _neighbours(known: Tensor) -> list[Tensor]:
    """For each pixel the flat index of the nearest known one to the left, right, top and bottom; -1: none."""
    height, width = known.shape
    index = torch.arange(height * width, device=known.device).view(height, width)
    first = torch.where(known, index, -1)
    last = torch.where(known, index, height * width)
    right = last.flip(1).cummin(1).values.flip(1)
    below = last.flip(0).cummin(0).values.flip(0)
    none = torch.tensor(-1, device=known.device)
    return [
        first.cummax(1).values,
        torch.where(right < height * width, right, none),
        first.cummax(0).values,
        torch.where(below < height * width, below, none),
    ]


def _view(light: Tensor, disparity: Tensor, offset: tuple[int, int]) -> Tensor:
    height, width = disparity.shape
    y = torch.arange(height, dtype=torch.float32)[:, None].expand(height, width)
    x = torch.arange(width, dtype=torch.float32).expand(height, width)
    depth = _forward(disparity, y - disparity * offset[0], x - disparity * offset[1])
    depth = _close_cracks(depth)
    seen = torch.isfinite(depth)
    depth = torch.where(seen, depth, 0)
    at = torch.stack([x + depth * offset[1], y + depth * offset[0]], -1)  # in the picture
    at = (2 * at + 1) / torch.tensor([width, height]) - 1
    colours = F.grid_sample(light[None], at[None], "bilinear", "border", align_corners=False)[0]
    return fill_from_behind(colours, seen, depth)


def _forward(disparity: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The nearest disparity that falls on each pixel; -inf where none does."""
    height, width = disparity.shape
    row, column = y.round().long(), x.round().long()
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    depth = torch.full((height * width,), float("-inf"))
    depth.scatter_reduce_(0, (row * width + column)[inside], disparity[inside], "amax")
    return depth.view(height, width)


def _close_cracks(depth: Tensor) -> Tensor:
    """Pixels between two of one surface, left and right or above and below, take their mean.

    Also pixels through which something farther shines in such a crack.
    """
    for axis in (1, 0):
        before, after = depth.roll(1, axis), depth.roll(-1, axis)
        mean = (before + after) / 2
        crack = ((before - after).abs() < SAME_SURFACE) & (depth < mean - SAME_SURFACE) & torch.isfinite(mean)
        edge = torch.zeros_like(crack)
        edge.select(axis, 0).fill_(True)
        edge.select(axis, -1).fill_(True)
        depth = torch.where(crack & ~edge, mean, depth)
    return depth
