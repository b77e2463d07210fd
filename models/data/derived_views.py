"""Views that are made from others when they are asked for: every n-th of a grid, or all at another scale."""

from functools import partial

from torch import Tensor

from .lazy_views import LazyViews, Window
from .resampling import resampled, scaled


def sub_range(have: int, keep: int | None, step: int) -> range | None:
    """Which of ``have`` rows of views: ``keep`` of them, ``step`` apart, in the middle; None: so many do not fit.

    ``keep`` None: as many as fit; of an odd number of rows those around the middle one, so that the centre stays.
    """
    if keep is None:
        keep = 1 + 2 * (have // 2 // step) if have % 2 else 1 + (have - 1) // step
    span = 1 + (keep - 1) * step
    if keep < 1 or span > have:
        return None
    first = (have - span + 1) // 2
    return range(first, first + span, step)


def every(pixels: LazyViews, rows: range, columns: range) -> LazyViews:
    """The views of these rows and columns, which may have a step; what lies between is read and dropped."""
    shape = (len(rows), len(columns), *pixels.shape[2:])
    told = partial(_read_every, pixels, rows, columns), partial(_check_every, pixels, rows, columns)
    return LazyViews(shape, pixels.dtype, told[0], check=told[1], transfer=pixels.transfer)


def _outer(rows: range, columns: range, window: Window) -> Window:
    kept = rows[window.rows], columns[window.columns]
    return window._replace(rows=slice(kept[0][0], kept[0][-1] + 1), columns=slice(kept[1][0], kept[1][-1] + 1))


def _read_every(pixels: LazyViews, rows: range, columns: range, window: Window) -> tuple[Tensor, Tensor | None]:
    views, weights = pixels.crop(_outer(rows, columns, window)).load()
    steps = slice(None, None, rows.step), slice(None, None, columns.step)
    return views[steps].contiguous(), None if weights is None else weights[steps]


def _check_every(pixels: LazyViews, rows: range, columns: range, window: Window) -> None:
    pixels.crop(_outer(rows, columns, window)).check()


def at_scale(pixels: LazyViews, scale: float) -> LazyViews:
    """All views at another scale, see ``resampled``."""
    shape = (*pixels.shape[:3], *(scaled(length, scale) for length in pixels.shape[3:]))
    read, check = partial(_read_at_scale, pixels, scale), partial(_check_at_scale, pixels)
    return LazyViews(shape, pixels.dtype, read, check=check, transfer=pixels.transfer)


def _read_at_scale(pixels: LazyViews, scale: float, window: Window) -> tuple[Tensor, Tensor | None]:
    views, weights = pixels.crop(_all_pixels(pixels, window)).load()
    return resampled(views, pixels.transfer, scale)[..., window.y, window.x].contiguous(), weights


def _check_at_scale(pixels: LazyViews, window: Window) -> None:
    pixels.crop(_all_pixels(pixels, window)).check()


def _all_pixels(pixels: LazyViews, window: Window) -> Window:
    height, width = pixels.shape[3:]
    return window._replace(y=slice(0, height), x=slice(0, width))
