"""A light field from one picture with depth: forward warp with occlusion order, gaps filled from behind."""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import LightFieldError

SAME_SURFACE = 0.25  # pixels per view step: neighbours closer than this belong to one surface
UNSEEN = -np.inf


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
    views = np.empty((rows, columns, *light.shape), np.uint16)
    depth = disparity.numpy().astype(np.float32)
    far_first = np.argsort(depth, axis=None, kind="stable")

    def make(place: tuple[int, int]) -> None:
        offset = place[0] - rows // 2, place[1] - columns // 2
        view = light.numpy() if offset == (0, 0) else _view(light, depth, far_first, offset)
        views[place] = np.rint(np.clip(view, 0, 1) * 65535)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make, itertools.product(range(rows), range(columns))))
    return torch.from_numpy(views)


def fill_from_behind(values: np.ndarray, known: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Fill gaps with the farthest of the nearest known pixels to the left, right, top and bottom.

    Args:
        values: ``[C, H, W]``.
        known: ``[H, W]`` bool, at least one true.
        depth: ``[H, W]`` disparity (larger is nearer); only known pixels count.

    Returns: ``[C, H, W]``; where a whole row and column are unknown, what the filled pixels beside have.
    """
    if known.all():
        return values
    if not known.any():
        raise LightFieldError("disparity: no pixel is known")
    values, depth = values.copy(), np.where(known, depth, np.inf)
    while not known.all():
        gap = np.flatnonzero(~known)
        candidates = np.stack([index.ravel()[gap] for index in _nearest_known(known)])
        found = candidates >= 0
        depths = np.where(found, depth.ravel()[candidates], np.inf)
        farthest = depths.argmin(0)[None]
        source = np.take_along_axis(candidates, farthest, 0)[0]
        reached = np.take_along_axis(found, farthest, 0)[0]
        gap, source = gap[reached], source[reached]
        flat = values.reshape(len(values), -1)
        flat[:, gap] = flat[:, source]
        depth.ravel()[gap] = depth.ravel()[source]
        known = known.copy()
        known.ravel()[gap] = True
    return values


def _nearest_known(known: np.ndarray) -> list[np.ndarray]:
    """For each pixel the flat index of the nearest known one to the left, right, top and bottom; -1: none."""
    index = np.arange(known.size).reshape(known.shape)
    before, after = np.where(known, index, -1), np.where(known, index, known.size)
    found = []
    for axis in (1, 0):
        found.append(np.maximum.accumulate(before, axis))
        beyond = np.flip(np.minimum.accumulate(np.flip(after, axis), axis), axis)
        found.append(np.where(beyond < known.size, beyond, -1))
    return found


def _view(light: Tensor, disparity: np.ndarray, far_first: np.ndarray, offset: tuple[int, int]) -> np.ndarray:
    height, width = disparity.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    depth = _close_cracks(_forward(disparity, far_first, y - disparity * offset[0], x - disparity * offset[1]))
    seen = depth != UNSEEN
    depth = np.where(seen, depth, 0)
    at = np.stack([(x + depth * offset[1] + 0.5) / width, (y + depth * offset[0] + 0.5) / height], -1) * 2 - 1
    places = torch.from_numpy(at.astype(np.float32))[None]
    colours = F.grid_sample(light[None], places, "bilinear", "border", align_corners=False)[0]
    return fill_from_behind(colours.numpy(), seen, depth)


def _forward(disparity: np.ndarray, far_first: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The nearest disparity that falls on each pixel; ``UNSEEN`` where none does."""
    height, width = disparity.shape
    row, column = np.rint(y).astype(np.int64), np.rint(x).astype(np.int64)
    inside = ((row >= 0) & (row < height) & (column >= 0) & (column < width)).ravel()[far_first]
    source = far_first[inside]
    depth = np.full(height * width, UNSEEN, np.float32)
    depth[(row * width + column).ravel()[source]] = disparity.ravel()[source]  # of several, NumPy keeps the last
    return depth.reshape(height, width)


def _close_cracks(depth: np.ndarray) -> np.ndarray:
    """Single pixels between two of one surface, left and right or above and below, take their mean.

    Also those through which something farther shines.
    """
    for axis in (1, 0):
        lines = np.moveaxis(depth, axis, -1).copy()
        before, after = lines[..., :-2], lines[..., 2:]
        with np.errstate(invalid="ignore"):
            mean = (before + after) / 2
            crack = (np.abs(before - after) < SAME_SURFACE) & (lines[..., 1:-1] < mean - SAME_SURFACE)
        lines[..., 1:-1] = np.where(crack, mean, lines[..., 1:-1])
        depth = np.moveaxis(lines, -1, axis)
    return np.ascontiguousarray(depth)
