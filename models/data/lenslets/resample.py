"""Views sampled from a picture below lenslets: a place in every lenslet, and rows of hexagons as square pixels."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..lazy_views import Window
from .grid import LensletGrid

_OUTSIDE = np.float32(1e-3)  # share of another lenslet's pixels: they count where there are no others
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
        picture: ``[H, W]`` float64.
        points: ``[N, H', W']`` of ``x + iy``; beyond the picture, its nearest pixel counts.

    Returns: ``[N, H', W']`` float64.
    """
    height, width = picture.shape
    at = np.stack([points.real * (2 / (width - 1)) - 1, points.imag * (2 / (height - 1)) - 1], -1)
    flat = torch.from_numpy(at.reshape(1, -1, at.shape[2], 2))
    seen = F.grid_sample(picture[None, None], flat, mode="bilinear", padding_mode="border", align_corners=True)
    return seen.view(points.shape)


def sampled_within(colours: np.ndarray, numbers: np.ndarray, own: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A picture between its pixels, those below another lenslet left out.

    Args:
        colours: ``[C, H, W]`` float32.
        numbers: ``[H, W]``, a number for each lenslet, the same in all pixels below it.
        own: ``[H', W']``, the numbers of the lenslets that the points are in.
        points: ``[N, H', W']`` of ``x + iy``; beyond the picture, its nearest pixel counts.

    Returns: ``[C, N, H', W']`` float32.
    """
    height, width = numbers.shape
    x, y = points.real.clip(0, width - 1), points.imag.clip(0, height - 1)
    left, top = np.minimum(np.floor(x), width - 2), np.minimum(np.floor(y), height - 2)
    across, down = (x - left).astype(np.float32), (y - top).astype(np.float32)
    corner = (top * width + left).astype(np.intp)
    total, shares = np.zeros((len(colours), *points.shape), np.float32), np.zeros(points.shape, np.float32)
    for step, share in (
        (0, (1 - across) * (1 - down)),
        (1, across * (1 - down)),
        (width, (1 - across) * down),
        (width + 1, across * down),
    ):
        at = corner + step
        share *= (numbers.take(at) == own) + _OUTSIDE
        shares += share
        for sum_of_one, colour in zip(total, colours, strict=True):
            sum_of_one += colour.take(at) * share
    total /= shares
    return total


def in_square_pixels(
    values: np.ndarray, views: ViewGrid, rows: np.ndarray, columns: np.ndarray, x: slice
) -> np.ndarray:
    """Values of hexagonal lenslets at the places of a view's pixels, along their rows; of square ones as they are.

    Args:
        values: ``[..., rows, columns]`` of these lenslets.
        x: pixels of the views.

    Returns: ``[..., rows, x]``.
    """
    if not views.grid.hexagonal:
        return values
    index, weights = _taps(views, rows, np.arange(x.start, x.stop))
    places = np.arange(len(rows))[:, None, None] * len(columns) + index - columns[0]
    flat = values.reshape(-1, len(rows) * len(columns))
    out = np.zeros((len(flat), places[..., 0].size), values.dtype)
    for tap in range(places.shape[-1]):
        out += flat.take(places[..., tap].ravel(), 1) * weights[..., tap].ravel().astype(values.dtype)
    return out.reshape(*values.shape[:-1], x.stop - x.start)


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
