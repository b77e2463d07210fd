"""A light field from one picture with depth: forward warp with occlusion order, gaps filled from behind."""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import LightFieldError
from ..rendering.view_disparity import UNSEEN, disparity_seen, fill_from_behind


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


def _view(light: Tensor, disparity: np.ndarray, far_first: np.ndarray, offset: tuple[int, int]) -> np.ndarray:
    height, width = disparity.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    depth = disparity_seen(disparity, far_first, offset)
    seen = depth != UNSEEN
    depth = np.where(seen, depth, 0)
    at = np.stack([(x + depth * offset[1] + 0.5) / width, (y + depth * offset[0] + 0.5) / height], -1) * 2 - 1
    places = torch.from_numpy(at.astype(np.float32))[None]
    colours = F.grid_sample(light[None], places, "bilinear", "border", align_corners=False)[0]
    return fill_from_behind(colours.numpy(), seen, depth)
