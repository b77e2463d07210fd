"""Views sampled from a picture below lenslets: places in every lenslet, and rows of hexagons made into square pixels."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..lazy_views import Window
from .grid import LensletGrid

_OUTSIDE = 1e-3  # share of another lenslet's pixels: they count where there are no others
_EDGE = 1e-6  # of a pixel: what rounding may take from the last one


class ViewGrid(NamedTuple):
    """Which views are sampled behind which lenslets.

    Attributes:
        grid: counted from the first lenslet.
        lenslets: rows and columns of them.
        views: rows and columns; they divide the pitch.
        size: height and width of a view, as ``view_size`` gives it.
    """

    grid: LensletGrid
    lenslets: tuple[int, int]
    views: tuple[int, int]
    size: tuple[int, int]

    @property
    def pixel(self) -> float:
        """Side of a view's pixel, in lenslets."""
        return self.grid.turn.imag

    def columns(self, x: np.ndarray) -> np.ndarray:
        """Where pixels of a view are, in lenslets to the right of the first one."""
        if not self.grid.hexagonal:
            return x
        slack = self.lenslets[1] - 0.5 - (self.size[1] - 1) * self.pixel
        return slack / 2 + self.pixel * x

    def offsets(self) -> tuple[np.ndarray, np.ndarray]:
        """Where rows and columns of views lie in a lenslet, in pitches from its centre."""
        down, across = ((np.arange(count) - (count - 1) / 2) / count for count in self.views)
        return down, across

    def in_disc(self) -> Tensor:
        """``[V, U]`` bool: views whose places lie in the disc of a lenslet; beyond is its neighbour's light."""
        down, across = self.offsets()
        return torch.from_numpy(np.hypot(down[:, None], across) <= 0.5)

    def lenslets_of(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the lenslets that a window of the views is made from."""
        rows = np.arange(window.y.start, window.y.stop)
        if not self.grid.hexagonal:
            return rows, np.arange(window.x.start, window.x.stop)
        ends = _taps(self, rows, np.array([window.x.start, window.x.stop - 1]))[0]
        return rows, np.arange(ends.min(), ends.max() + 1)

    def points(self, rows: np.ndarray, columns: np.ndarray, down: float, across: np.ndarray) -> np.ndarray:
        """``[across, rows, columns]`` of ``x + iy``: one place ``(down, across)`` in each of these lenslets."""
        grid, rows, across = self.grid, rows[:, None], across[:, None, None]
        if not grid.hexagonal:
            return grid.points(rows + down, columns + across)
        return grid.centers(rows, columns) + grid.step * (across + 1j * down)


def view_size(lenslets: tuple[int, int], turn: complex, hexagonal: bool) -> tuple[int, int]:
    """Height and width of a view. Hexagons: as wide as both kinds of rows, in pixels as wide as rows are apart."""
    rows, columns = lenslets
    return (rows, int((columns - 0.5) / turn.imag + _EDGE) + 1) if hexagonal else lenslets


def sampled(picture: Tensor, points: np.ndarray) -> Tensor:
    """A picture between its pixels.

    Args:
        picture: ``[C, H, W]`` float64.
        points: ``[N, H', W']`` of ``x + iy``; beyond the picture, its nearest pixel counts.

    Returns: ``[N, C, H', W']`` float64.
    """
    height, width = picture.shape[1:]
    at = np.stack([points.real * (2 / (width - 1)) - 1, points.imag * (2 / (height - 1)) - 1], -1)
    flat = torch.from_numpy(at.reshape(1, -1, at.shape[2], 2))
    seen = F.grid_sample(picture[None], flat, mode="bilinear", padding_mode="border", align_corners=True)
    return seen.view(len(picture), *at.shape[:3]).transpose(0, 1)


def sampled_within(picture: Tensor, numbers: Tensor, own: Tensor, points: np.ndarray) -> Tensor:
    """A picture between its pixels, those below another lenslet left out.

    Args:
        picture: ``[C, H, W]`` float32.
        numbers: ``[H, W]``, a number for each lenslet, the same in all pixels below it.
        own: ``[H', W']`` numbers of the lenslets that the points are in.
        points: ``[N, H', W']`` of ``x + iy``, counted from the picture's corner; beyond it, its nearest pixel counts.

    Returns: ``[N, C, H', W']`` float32.
    """
    height, width = picture.shape[1:]
    flat, below = picture.flatten(1), numbers.flatten()
    x, y = torch.from_numpy(points.real.clip(0, width - 1)), torch.from_numpy(points.imag.clip(0, height - 1))
    left, top = x.floor().clamp_max(width - 2), y.floor().clamp_max(height - 2)
    across, down = (x - left).float(), (y - top).float()
    corner = (top * width + left).long()
    total, shares = torch.zeros((len(flat), *x.shape)), torch.zeros(x.shape)
    for step, share in (
        (0, (1 - across) * (1 - down)),
        (1, across * (1 - down)),
        (width, (1 - across) * down),
        (width + 1, across * down),
    ):
        at = corner + step
        share *= (below[at] == own) + _OUTSIDE
        total += flat[:, at] * share
        shares += share
    return (total / shares).transpose(0, 1)


def in_square_pixels(values: Tensor, views: ViewGrid, rows: np.ndarray, columns: np.ndarray, x: slice) -> Tensor:
    """Values of hexagonal lenslets at the places of a view's pixels, along their rows; of square ones as they are.

    Args:
        values: ``[..., rows, columns]`` of these lenslets.
        x: pixels of the views.

    Returns: ``[..., rows, x]``.
    """
    if not views.grid.hexagonal:
        return values
    index, weights = _taps(views, rows, np.arange(x.start, x.stop))
    shape = (*values.shape[:-1], x.stop - x.start)
    out = values.new_zeros(shape)
    for tap in range(index.shape[-1]):
        at = torch.from_numpy(index[..., tap] - columns[0]).expand(shape)
        out += values.gather(-1, at) * torch.from_numpy(weights[..., tap]).to(values)
    return out


def _taps(views: ViewGrid, rows: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of four lenslets and their weights (Catmull-Rom), ``[rows, x, 4]``, for every pixel."""
    grid = views.grid
    at = views.columns(x) - (grid.shift(rows) + grid.turn.real * rows)[:, None]
    first = np.floor(at)
    t = at - first
    weights = np.stack(
        [
            t * (-0.5 + t * (1 - 0.5 * t)),
            1 + t * t * (-2.5 + 1.5 * t),
            t * (0.5 + t * (2 - 1.5 * t)),
            t * t * (-0.5 + 0.5 * t),
        ],
        -1,
    )
    index = first[..., None].astype(np.int64) + np.arange(-1, 3)
    return np.clip(index, 0, views.lenslets[1] - 1), weights
