"""Views of cameras that stood beside their places, as from an exact grid."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from ..arguments import check_tensor
from ..bicubic import bicubic_at
from ..light_field import LightField, LightFieldError, check_light_field
from ..positions import grid_places, off_grid
from .view_disparity import UNSEEN, disparity_seen, fill_from_behind

LEAST = 0.02  # pixels: a view that nothing in it would move by more than this stays as it is


def on_regular_grid(light_field: LightField, disparity: Tensor) -> LightField:
    """The light field on the exact grid: each view is warped by the disparity times how far its camera is off.

    The disparity map of the centre is pushed into each view, the nearer surface winning; what the centre does not show
    is taken to be as far as the farthest of the surfaces beside it. A view is read between its pixels (bicubic) and at
    its borders as the last pixel has it.

    Args:
        light_field: of any kind; without ``positions`` it is returned as it is. With a centre view (see
            ``LightField.with_center``), else the map belongs to the middle of the grid.
        disparity: ``[H, W]`` of the centre, pixels per view step, as ``estimate_disparity`` or ``disparity_of`` gives
            it (of the light field as it was read, which is right but for a small error); NaN: unknown.

    Returns: the same views in the same dtype, on the same device, without ``positions``.

    Raises:
        LightFieldError: a map of another size, or one that is unknown everywhere.
    """
    check_light_field(light_field)
    check_tensor("disparity", disparity, "[H, W]")
    if light_field.positions is None:
        return light_field
    if tuple(disparity.shape) != light_field.size:
        size = list(light_field.size)
        raise LightFieldError(f"disparity: got shape {list(disparity.shape)}, want {size} as the views")
    depth = disparity.detach().cpu().float().numpy()
    known = np.isfinite(depth)
    depth = fill_from_behind(depth[None], known, depth)[0]
    far_first = np.argsort(depth, axis=None, kind="stable")
    most = float(np.abs(depth).max())
    places, off = grid_places(*light_field.grid), off_grid(light_field.positions.cpu())
    views = light_field.views.clone()
    y, x = torch.arange(light_field.size[0])[:, None], torch.arange(light_field.size[1])

    def move(place: tuple[int, int]) -> None:
        down, right = off[place].tolist()
        if max(abs(down), abs(right)) * most <= LEAST:
            return
        v, u = places[place].tolist()
        seen = disparity_seen(depth, far_first, (v, u))
        there = torch.from_numpy(fill_from_behind(seen[None], seen != UNSEEN, seen)[0]).double()
        # What the exact place sees at (y - d*v, x - d*u), the camera saw at (y - d*(v + down), x - d*(u + right)).
        views[place] = bicubic_at(views[place], y - down * there, x - right * there)

    with ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
        list(pool.map(move, np.ndindex(*light_field.grid)))
    return light_field.copy(views=views, weights=light_field.weights, positions=None)
