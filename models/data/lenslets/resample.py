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
        """``[rows, columns, across]`` of ``x + iy``: one place ``(down, across)`` in each of these lenslets."""
        grid, rows, columns = self.grid, rows[:, None, None], columns[:, None]
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
        points: ``[H', W', N]`` of ``x + iy``; beyond the picture, its nearest pixel counts.

    Returns: ``[H', W', N]`` float64.
    """
    height, width = picture.shape
    at = np.stack([points.real * (2 / (width - 1)) - 1, points.imag * (2 / (height - 1)) - 1], -1)
    flat = torch.from_numpy(at.reshape(1, len(at), -1, 2))
    seen = F.grid_sample(picture[None, None], flat, mode="bilinear", padding_mode="border", align_corners=True)
    return seen.view(points.shape)


def sampled_within(pixels: Tensor, own: Tensor, points: np.ndarray) -> Tensor:
    """A picture between its pixels, those below another lenslet left out.

    Args:
        pixels: ``[H, W, C + 1]`` float32: colours, then a number for each lenslet, the same in all pixels below it.
        own: ``[H', W']`` float32, the numbers of the lenslets that the points are in.
        points: ``[H', W', N]`` of ``x + iy``; beyond the picture, its nearest pixel counts.

    Returns: ``[H', W', N, C]`` float32.
    """
    height, width, channels = pixels.shape
    flat, number = pixels.flatten(0, 1), own[..., None].expand(points.shape).flatten()
    x, y = torch.from_numpy(points.real.clip(0, width - 1)), torch.from_numpy(points.imag.clip(0, height - 1))
    left, top = x.floor().clamp_max_(width - 2), y.floor().clamp_max_(height - 2)
    across, down = (x - left).float().flatten(), (y - top).float().flatten()
    corner = (top * width + left).long().flatten()
    total = torch.zeros(len(corner), channels)  # and, in place of the number, the shares
    for step, share in (
        (0, (1 - across) * (1 - down)),
        (1, across * (1 - down)),
        (width, (1 - across) * down),
        (width + 1, across * down),
    ):
        near = flat.index_select(0, corner + step)
        share *= (near[:, -1] == number) + _OUTSIDE
        near[:, -1] = 1
        total.addcmul_(near, share[:, None])
    return (total[:, :-1] / total[:, -1:]).view(*points.shape, channels - 1)


def in_square_pixels(values: Tensor, views: ViewGrid, rows: np.ndarray, columns: np.ndarray, x: slice) -> Tensor:
    """Values of hexagonal lenslets at the places of a view's pixels, along their rows; of square ones as they are.

    Args:
        values: ``[rows, columns, ...]`` of these lenslets.
        x: pixels of the views.

    Returns: ``[rows, x, ...]``.
    """
    if not views.grid.hexagonal:
        return values
    index, weights = _taps(views, rows, np.arange(x.start, x.stop))
    places = np.arange(len(rows))[:, None, None] * len(columns) + index - columns[0]
    flat = values.reshape(len(rows) * len(columns), -1)
    out = flat.new_zeros((places[..., 0].size, flat.shape[1]))
    for tap in range(places.shape[-1]):
        near = flat.index_select(0, torch.from_numpy(places[..., tap].ravel()))
        out.addcmul_(near, torch.from_numpy(weights[..., tap].reshape(-1, 1)).to(flat))
    return out.view(len(rows), x.stop - x.start, *values.shape[2:])


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
