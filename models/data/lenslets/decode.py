"""A picture below lenslets made into views, after Dansereau, Pizarro and Williams (CVPR 2013).

"Decoding, calibration and rectification for lenselet-based plenoptic cameras": divide by the white picture, demosaic,
turn and scale to the grid of the lenslets, take one pixel of each lenslet for each view, and make the rows of hexagons
into square pixels. Here the third and fourth step are one sampling between pixels, so nothing is resampled twice.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from ..lazy_views import Window
from . import bayer, devignetting
from .grid import nearest
from .resample import ViewGrid, in_square_pixels, sampled, sampled_within

_ROWS_AT_ONCE = 16  # of lenslets, whose pixels are in memory in colour
_DIM = 0.1  # of full light: pixels that are darker, between the lenslets, count for nothing
_HALO = bayer.REACH + devignetting.REACH

# Of a part of a picture, its values and the part of full light that came through to each.
Part = Callable[[slice, slice], tuple[np.ndarray, np.ndarray]]


def grey_views(picture: np.ndarray, white: np.ndarray, floor: float, views: ViewGrid, window: Window) -> Tensor:
    """Views of a grey picture, divided by those of its white picture.

    Args:
        picture, white: ``[H, W]`` float64, above the dark level.
        floor: what the white picture's values count at least.

    Returns: ``[V, U, H, W]`` float64 of the window.
    """
    seen = white_views(picture, views, window)
    seen.div_(white_views(white, views, window).clamp_min_(floor))
    rows, columns = views.lenslets_of(window)
    return torch.from_numpy(in_square_pixels(seen.numpy(), views, rows, columns, window.x))


def white_views(white: np.ndarray, views: ViewGrid, window: Window) -> Tensor:
    """``[V, U, rows, columns]`` float64: a picture's values at each view's place in each lenslet of a window."""
    rows, columns = views.lenslets_of(window)
    source = torch.from_numpy(white)
    down, across = views.offsets()
    seen = [sampled(source, views.points(rows, columns, v, across[window.columns])) for v in down[window.rows]]
    return torch.stack(seen)


def colour_views(
    mosaic: Part, size: tuple[int, int], pattern: str, matrix: np.ndarray, views: ViewGrid, window: Window
) -> Tensor:
    """Views of a picture behind a Bayer pattern.

    Args:
        mosaic: gives a part ``[y, x]`` of the devignetted picture, float32, 1 = white, and its share of light; slices
            of the whole picture. It is called by several threads.
        size: of the whole picture.
        pattern: of the whole picture, one of ``bayer.PATTERNS``.
        matrix: ``[3, 3]``, from the sensor's colours to those of the views.

    Returns: ``[V, U, 3, H, W]`` float32 of the window, in [0, 1].
    """
    out = np.empty((*window.shape[:2], 3, *window.shape[2:]), np.float32)
    down, across = views.offsets()
    to_colours = matrix.astype(np.float32)

    # In NumPy, a band in a thread: torch's threads would wait for each other after each of many small steps.
    def decode(band: Window) -> None:
        rows, columns = views.lenslets_of(band)
        y, x = _part(views, rows, columns, size)
        values, light = mosaic(y, x)
        raw = np.minimum(devignetting.repaired(values), 1)
        numbers, own = _numbers(views, rows, columns, (y.start, x.start), raw.shape)
        numbers[light < _DIM] = -1
        colours = bayer.demosaic(raw, "".join(bayer.shifted(pattern, y.start, x.start)), numbers)
        colours = np.einsum("ij,jyx->iyx", to_colours, colours)
        here = slice(band.y.start - window.y.start, band.y.stop - window.y.start)
        for v, at in enumerate(down[window.rows]):
            points = views.points(rows, columns, at, across[window.columns]) - complex(x.start, y.start)
            seen = sampled_within(colours, numbers, own, points)
            in_pixels = in_square_pixels(seen, views, rows, columns, window.x)
            np.clip(in_pixels.swapaxes(0, 1), 0, 1, out=out[v, :, :, here])

    with ThreadPoolExecutor(max(1, min(torch.get_num_threads(), os.cpu_count() or 1))) as pool:
        list(pool.map(decode, _bands(window)))
    return torch.from_numpy(out)


def _bands(window: Window) -> Iterator[Window]:
    for start in range(window.y.start, window.y.stop, _ROWS_AT_ONCE):
        yield window._replace(y=slice(start, min(start + _ROWS_AT_ONCE, window.y.stop)))


def _part(views: ViewGrid, rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    """The part of the picture that these lenslets see, and what that depends on."""
    corners = views.grid.centers(rows[[0, -1], None], columns[[0, -1]])
    reach = views.grid.pitch + 1 + _HALO
    if len(rows) > 1:  # rows of hexagons reach half a lenslet further in turns
        corners = np.concatenate([corners, views.grid.centers(rows[[1, -2], None], columns[[0, -1]])])
    ends = [
        (int(max(0, np.floor(values.min() - reach))), int(min(length, np.ceil(values.max() + reach) + 1)))
        for values, length in zip((corners.imag, corners.real), size, strict=True)
    ]
    return slice(*ends[0]), slice(*ends[1])


def _numbers(
    views: ViewGrid, rows: np.ndarray, columns: np.ndarray, corner: tuple[int, int], shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """A number for each lenslet: ``[H, W]`` int32 of a part's pixels, and ``[rows, columns]`` of these lenslets."""
    y, x = (np.arange(start, start + length) for start, length in zip(corner, shape, strict=True))
    found = nearest(views.grid, x + 1j * y[:, None])
    first = [index.min() for index in found]
    many = found[1].max() - first[1] + 1
    pixels, own = ((row - first[0]) * many + column - first[1] for row, column in (found, (rows[:, None], columns)))
    return pixels.astype(np.int32), own.astype(np.int32)
