"""Two textured planes seen from any places."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from lfdeblur_models.data.positions import grid_places

GRID = 5, 5
NEAR, FAR = 2.0, -1.0  # pixels per view step
CARD = slice(30, 70), slice(35, 80)  # y, x of the near plane in the centre view


def texture(y, x, seed):
    """Smooth, the same wherever it is asked for: a sum of waves of 5 to 20 pixels."""
    rng = np.random.default_rng(seed)
    total = np.zeros(np.broadcast_shapes(y.shape, x.shape))
    for _ in range(24):
        length, turn, phase = rng.uniform(5, 20), rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi)
        total += np.sin(2 * math.pi / length * (y * math.sin(turn) + x * math.cos(turn)) + phase)
    return 0.5 + total / 14


def two_planes(positions, height=96, width=112, dtype=torch.uint8):
    """Views of a card before a wall, from cameras at ``positions``."""
    y, x = np.mgrid[:height, :width].astype(float)
    views = np.empty((*positions.shape[:2], 1, height, width))
    for place in np.ndindex(*positions.shape[:2]):
        v, u = positions[place].tolist()
        near = y + NEAR * v, x + NEAR * u
        views[place] = np.where(on_card(*near), texture(*near, 1), texture(y + FAR * v, x + FAR * u, 2))
    levels = {torch.uint8: 255, torch.uint16: 65535}[dtype]
    return torch.from_numpy(np.rint(views.clip(0, 1) * levels).astype(np.uint16)).to(dtype)


def on_card(y, x):
    """Whether the card is there, by pixels of the centre view."""
    return (y >= CARD[0].start) & (y < CARD[0].stop) & (x >= CARD[1].start) & (x < CARD[1].stop)


def on_surfaces(height=96, width=112, margin=3):
    """``[V, U, 1, H, W]``: where no outline is near, at which a pixel is of one surface or the other."""
    y, x = np.mgrid[:height, :width].astype(float)
    places = grid_places(*GRID)
    cards = torch.stack(
        [torch.from_numpy(on_card(y + NEAR * v, x + NEAR * u)) for v, u in places.flatten(0, 1).tolist()]
    )
    cards = cards.float()[:, None]
    size = 2 * margin + 1
    most, least = (sign * F.max_pool2d(sign * cards, size, 1, margin) for sign in (1, -1))
    return (most == least).view(*GRID, 1, height, width)


def true_disparity(height=96, width=112):
    disparity = torch.full((height, width), FAR)
    disparity[CARD] = NEAR
    return disparity


def irregular(seed=0, spread=0.3):
    """An exact grid, each camera but the centre one up to so many view steps beside its place."""
    positions = grid_places(*GRID)
    off = (torch.rand(positions.shape, generator=torch.Generator().manual_seed(seed)) - 0.5) * 2 * spread
    off[GRID[0] // 2, GRID[1] // 2] = 0
    return positions + off


def psnr(got, want):
    levels = 255 if want.dtype == torch.uint8 else 65535
    return 10 * math.log10(levels**2 / float((got.double() - want.double()).square().mean()))
