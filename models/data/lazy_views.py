"""The views of a light field before they are read."""

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .arguments import whole_number
from .errors import LightFieldError
from .transfer import to_linear

DARK = 0.2  # of the median view's light: below, a corner view saw next to nothing through its lens
_SMALLEST_WITH_CORNERS = 5  # rows and columns; a smaller grid is a crop of a lens's middle, or of cameras


class Window(NamedTuple):
    """Rows and columns of views, and of pixels in each, without step: what ``LightField.crop(*window)`` keeps.

    Once it is ``within`` a light field, every slice has start and stop.
    """

    rows: slice = slice(None)
    columns: slice = slice(None)
    y: slice = slice(None)
    x: slice = slice(None)

    def within(self, shape: tuple[int, ...], name: object) -> "Window":
        """This window of views ``[V, U, C, H, W]``, with start and stop; ``name`` is the light field's.

        Raises:
            LightFieldError: a slice has a step, is empty, or reaches beyond the end.
        """
        rows, columns, _, height, width = shape
        have = (rows, columns, height, width)
        return Window(*(check_window(name, *one) for one in zip(self._fields, self, have, strict=True)))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        rows, columns, height, width = (part.stop - part.start for part in self)
        return rows, columns, height, width

    def inside(self, part: "Window") -> "Window":
        """``part``, counted from this window's corner, counted from the whole's."""
        return Window(*(slice(a.start + b.start, a.start + b.stop) for a, b in zip(self, part, strict=True)))

    def widened(self, margin: int, size: tuple[int, int]) -> "Window":
        """With a margin of pixels on every side, as far as pictures of this height and width go."""
        y, x = (
            slice(max(0, part.start - margin), min(length, part.stop + margin))
            for part, length in zip((self.y, self.x), size, strict=True)
        )
        return self._replace(y=y, x=x)

    def pixels_from(self, outer: "Window") -> "Window":
        """The same pixels, of all views, counted from another window's corner."""
        y, x = (slice(a.start - b.start, a.stop - b.start) for a, b in ((self.y, outer.y), (self.x, outer.x)))
        return Window(y=y, x=x)


def whole_window(shape: tuple[int, ...]) -> Window:
    """All of views ``[V, U, C, H, W]``."""
    rows, columns, _, height, width = shape
    return Window(slice(0, rows), slice(0, columns), slice(0, height), slice(0, width))


Read = Callable[[Window], tuple[Tensor, Tensor | None]]
Check = Callable[[Window], None]


class LazyViews:
    """Views that are read once, when they are first asked for, by whichever thread comes first.

    Args:
        shape: ``(V, U, C, H, W)`` of all there is.
        dtype: of the views.
        read: gives the views ``[V, U, C, H, W]`` of a window, and ``[V, U]`` weights or None. To pickle ``LazyViews``,
            it has to be a function of a module, or a partial of one.
        check: raises LightFieldError where the files of a window are seen to be unusable without being decoded.
        weights: ``[V, U]`` known beforehand; what ``read`` gives is multiplied with them.
        transfer: of the views, to judge how dark they are.
        lens: the views were taken through one main lens, which leaves those in the corners dark.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        read: Read,
        *,
        check: Check | None = None,
        weights: Tensor | None = None,
        transfer: str = "srgb",
        lens: bool = False,
        window: Window | None = None,
    ) -> None:
        self._told: dict[str, Any] = {"read": read, "check": check, "lens": lens}
        self._whole, self._weights = tuple(shape), weights
        self.dtype, self.transfer = dtype, transfer
        self._window = window or whole_window(shape)
        self._loaded: tuple[Tensor, Tensor | None] | None = None
        self._dark: list[tuple[int, int]] = []
        self._lock = Lock()

    @property
    def shape(self) -> torch.Size:
        rows, columns, height, width = self._window.shape
        return torch.Size((rows, columns, self._whole[2], height, width))

    @property
    def loaded(self) -> bool:
        return self._loaded is not None

    @property
    def dark_views(self) -> list[tuple[int, int]]:
        """Row and column of each view that was found to be dark when the views were read."""
        return self._dark

    def crop(self, part: Window) -> "LazyViews":
        """A part of these pixels, to be read on its own; ``part`` counts from this one's first view and pixel."""
        weights = None if self._weights is None else self._weights[part.rows, part.columns]
        window = self._window.inside(part)
        return LazyViews(self._whole, self.dtype, **self._told, transfer=self.transfer, weights=weights, window=window)

    def through(self, change: Callable[[Read, Window], tuple[Tensor, Tensor | None]]) -> "LazyViews":
        """Views of the same shape that are made of these as they are read.

        Args:
            change: gives what ``read`` gives, of a window; it takes how these are read, and the window. A function of a
                module, or a partial of one.
        """
        told = self._told | {"read": partial(change, self._told["read"])}
        return LazyViews(
            self._whole, self.dtype, **told, transfer=self.transfer, weights=self._weights, window=self._window
        )

    def check(self) -> None:
        """Raise LightFieldError where the files are seen to be unusable; nothing is decoded."""
        if self._told["check"] is not None:
            self._told["check"](self._window)

    def load(self) -> tuple[Tensor, Tensor | None]:
        """Views ``[V, U, C, H, W]`` and weights ``[V, U]`` or None.

        Raises:
            LightFieldError: the files are damaged, or are gone by now.
        """
        with self._lock:
            if self._loaded is None:
                views, weights = self._told["read"](self._window)
                weights = _product(self._weights, weights)
                if self._told["lens"]:
                    dark = dark_corners(views, self.transfer)
                    if dark.any():
                        self._dark = [(int(row), int(column)) for row, column in dark.nonzero()]
                        weights = _product(weights, (~dark).float())
                self._loaded = views, weights
            return self._loaded

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=Lock())


def dark_corners(views: Tensor, transfer: str) -> Tensor:
    """``[V, U]`` bool: views with less than a fifth of the median view's light, from a corner of the grid on inwards.

    The lens of a light-field camera is round and its grid of views is not. A dark view elsewhere is left to be looked
    at: it has another reason.
    """
    rows, columns = views.shape[:2]
    dark = torch.zeros(rows, columns, dtype=torch.bool)
    if min(rows, columns) < _SMALLEST_WITH_CORNERS:
        return dark
    stride = max(1, min(views.shape[-2:]) // 64)
    light = to_linear(views[..., ::stride, ::stride].contiguous(), transfer).double().mean((2, 3, 4))
    candidates = light < DARK * light.median()
    frontier = [(row, column) for row in (0, rows - 1) for column in (0, columns - 1)]
    while frontier:
        row, column = frontier.pop()
        if 0 <= row < rows and 0 <= column < columns and candidates[row, column] and not dark[row, column]:
            dark[row, column] = True
            frontier += [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return dark


def _product(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a * b


def check_window(path: object, name: str, given: slice, have: int) -> slice:
    """A slice of a caller, with start and stop; negative ones count from the end, as everywhere in Python.

    Raises:
        LightFieldError: it has a step, or selects nothing, or reaches beyond the end.
    """
    if not isinstance(given, slice) or given.step not in (None, 1):
        raise LightFieldError(f"{name}: got {given!r}, want a slice without step (a step would change the disparities)")
    start, stop = (
        default if bound is None else whole_number(name, bound) + have * (bound < 0)
        for bound, default in ((given.start, 0), (given.stop, have))
    )
    if not 0 <= start < stop <= have:
        raise LightFieldError(f"{path}: {name}: got {given.start}:{given.stop}, want a part of 0:{have}")
    return slice(start, stop)
