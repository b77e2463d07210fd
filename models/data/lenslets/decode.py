"""A picture below lenslets made into views, after Dansereau, Pizarro and Williams (CVPR 2013).

"Decoding, calibration and rectification for lenselet-based plenoptic cameras": divide by the white picture, demosaic,
turn and scale to the grid of the lenslets, take one pixel of each lenslet for each view, and make the rows of hexagons
into square pixels. Here the third and fourth step are one sampling between pixels, so nothing is resampled twice.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ..lazy_views import Window
from . import bayer, devignetting
from .grid import nearest
from .resample import ViewGrid, in_square_pixels, sampled, sampled_within

_ROWS_AT_ONCE = 32  # of lenslets, whose pixels are in memory in colour
_HALO = bayer.REACH + devignetting.REACH

Part = Callable[[slice, slice], np.ndarray]


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
    return in_square_pixels(seen.permute(2, 3, 0, 1), views, rows, columns, window.x).permute(2, 3, 0, 1)


def white_views(white: np.ndarray, views: ViewGrid, window: Window) -> Tensor:
    """``[V, U, rows, columns]`` float64: a picture's values at each view's place in each lenslet of a window."""
    rows, columns = views.lenslets_of(window)
    source = torch.from_numpy(white)
    down, across = views.offsets()
    seen = [sampled(source, views.points(rows, columns, v, across[window.columns])) for v in down[window.rows]]
    return torch.stack(seen).permute(0, 3, 1, 2)


def colour_views(
    mosaic: Part, size: tuple[int, int], pattern: str, matrix: np.ndarray, views: ViewGrid, window: Window
) -> Tensor:
    """Views of a picture behind a Bayer pattern.

    Args:
        mosaic: gives a part ``[y, x]`` of the devignetted picture, float32, 1 = white; slices of the whole picture.
        size: of the whole picture.
        pattern: of the whole picture, one of ``bayer.PATTERNS``.
        matrix: ``[3, 3]``, from the sensor's colours to those of the views.

    Returns: ``[V, U, 3, H, W]`` float32 of the window, in [0, 1].
    """
    out = torch.from_numpy(np.empty((*window.shape[:2], 3, *window.shape[2:]), np.float32))
    down, across = views.offsets()
    to_colours = torch.from_numpy(matrix.astype(np.float32))
    for band in _bands(window):
        rows, columns = views.lenslets_of(band)
        y, x = _part(views, rows, columns, size)
        raw = np.clip(devignetting.repaired(mosaic(y, x)), None, 1)
        numbers, own = _numbers(views, rows, columns, (y.start, x.start), raw.shape)
        colours = bayer.demosaic(torch.from_numpy(raw), "".join(bayer.shifted(pattern, y.start, x.start)), numbers)
        colours = torch.tensordot(to_colours, colours, 1)
        pixels = torch.cat([colours, numbers[None]]).permute(1, 2, 0).contiguous()
        here = slice(band.y.start - window.y.start, band.y.stop - window.y.start)
        for v, at in enumerate(down[window.rows]):
            points = views.points(rows, columns, at, across[window.columns]) - complex(x.start, y.start)
            seen = in_square_pixels(sampled_within(pixels, own, points), views, rows, columns, window.x)
            out[v, :, :, here] = seen.permute(2, 3, 0, 1).clamp_(0, 1)
    return out


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
) -> tuple[Tensor, Tensor]:
    """A number for each lenslet: ``[H, W]`` float32 of the pixels of a part, and ``[rows, columns]`` of these lenslets."""
    y, x = (np.arange(start, start + length) for start, length in zip(corner, shape, strict=True))
    found = nearest(views.grid, x + 1j * y[:, None])
    first = [index.min() for index in found]
    many = found[1].max() - first[1] + 1
    pixels, own = ((row - first[0]) * many + column - first[1] for row, column in (found, (rows[:, None], columns)))
    return torch.from_numpy(pixels.astype(np.float32)), torch.from_numpy(own.astype(np.float32))
