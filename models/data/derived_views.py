"""Views that are made from others when they are asked for: every n-th of a grid, or all at another scale."""

import math
from collections.abc import Sequence
from functools import partial
from numbers import Real
from typing import Any

from torch import Tensor

from .arguments import whole_number
from .errors import LightFieldError
from .lazy_views import LazyViews, Window
from .resampling import resampled, scaled


def sub_grid(
    grid: tuple[int, int], views: int | tuple[int | None, int | None] | None, step: int | tuple[int, int]
) -> tuple[range, range, int]:
    """The rows and columns of views that ``LightField.sub`` keeps, and by how much disparities grow.

    Raises:
        LightFieldError: so many do not fit, or the steps differ.
    """
    keep = [None if one is None else whole_number("views", one) for one in _both("views", views)]
    steps = [whole_number("step", one) for one in _both("step", step)]
    if min(steps) < 1:
        raise LightFieldError(f"step: got {step}, want at least 1")
    rows, columns = (_sub_range(*one) for one in zip(grid, keep, steps, strict=True))
    if rows is None or columns is None:
        raise LightFieldError(f"views: got {views} with step {step} of a grid of {grid[0]}x{grid[1]}")
    if steps[0] != steps[1] and min(len(rows), len(columns)) > 1:
        raise LightFieldError(f"step: got {step}, want the same along rows and columns: disparities would differ")
    return rows, columns, steps[0] if len(rows) > 1 else steps[1]


def _both(name: str, value: Any) -> Sequence[Any]:
    """Of rows and of columns."""
    both = value if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2:
        raise LightFieldError(f"{name}: got {value}, want one number, or two, of rows and of columns")
    return both


def _sub_range(have: int, keep: int | None, step: int) -> range | None:
    """``keep`` of ``have`` rows of views, ``step`` apart, in the middle; None: so many do not fit."""
    if keep is None:
        keep = 1 + 2 * (have // 2 // step) if have % 2 else 1 + (have - 1) // step
    span = 1 + (keep - 1) * step
    if keep < 1 or span > have:
        return None
    first = (have - span + 1) // 2
    return range(first, first + span, step)


def scale_of(size: tuple[int, int], scale: float | None, height: int | None, width: int | None) -> float:
    """New pixels per old one, of views of this height and width; see ``LightField.resize``.

    Raises:
        LightFieldError: none or several of the three are given, or no pixel is left.
    """
    told = ((scale, 1), (height, size[0]), (width, size[1]))
    given = [value / old if isinstance(value, Real) else math.nan for value, old in told if value is not None]
    if len(given) != 1 or not 0 < given[0] < math.inf:
        raise LightFieldError(
            f"resize: got scale {scale!r}, height {height!r}, width {width!r}; want one of them, above 0: views keep "
            "their aspect, or disparities along rows and columns would differ"
        )
    factor = float(given[0])
    if min(scaled(length, factor) for length in size) < 1:
        raise LightFieldError(f"resize: got scale {factor:g}, which leaves no pixel of {size[0]}x{size[1]}")
    return factor


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
