"""Epipolar images: one line of pixels, as a line of views sees it."""

import torch
from torch import Tensor

from .arguments import whole_number
from .errors import LightFieldError
from .lazy_views import Window


def epi_window(
    shape: torch.Size, row: int | None, column: int | None, view_row: int | None, view_column: int | None
) -> Window:
    """The part of views ``[V, U, C, H, W]`` that an epipolar image shows; see ``LightField.epi``.

    Raises:
        LightFieldError: not one of ``row`` and ``column``, an index is outside, or a view is told that has no say.
    """
    rows, columns, _, height, width = shape
    if (row is None) == (column is None):
        raise LightFieldError(f"epi: got row {row} and column {column}, want one of them")
    if row is not None:
        if view_column is not None:
            raise LightFieldError(f"epi: got view_column {view_column} beside a row of pixels, want view_row")
        return Window(rows=_one("view_row", view_row, rows), y=_one("row", row, height))
    if view_row is not None:
        raise LightFieldError(f"epi: got view_row {view_row} beside a column of pixels, want view_column")
    return Window(columns=_one("view_column", view_column, columns), x=_one("column", column, width))


def epi_of(views: Tensor, along_x: bool) -> Tensor:
    """``[C, N, L]`` of the views in such a window."""
    return (views[0, :, :, 0] if along_x else views[:, 0, :, :, 0]).transpose(0, 1)


def _one(name: str, index: int | None, have: int) -> slice:
    index = have // 2 if index is None else whole_number(name, index)
    if not 0 <= index < have:
        raise LightFieldError(f"{name}: got {index}, want 0 to {have - 1}")
    return slice(index, index + 1)
