"""Reference of ``lfdeblur_ops.dynamic_filter_separable``: the horizontal taps of a row, then the vertical tap of it."""

from collections.abc import Iterable
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from .._filter_forms import SeparableOptions, apart
from ._empty import empty_result
from .dynamic_filter import padded, shifted


def dynamic_filter_separable(x: Tensor, filters: Tensor, kernel_size: Any, *rest: Any) -> Tensor:
    """``out[c, y, x] = sum_i filters[i, y, x] * sum_j filters[kh + j, y, x] * x[c, y + i - kh//2, x + j - kw//2]``.

    Arguments, after the tensors, as in ``torch.ops.lfdeblur.dynamic_filter_separable``: kernel_size, border, dilation.
    The sum is kept in float32 (float64 for float64).
    """
    options = SeparableOptions.of(kernel_size, *rest)
    shape = options.output(x.shape)
    if x.numel() == 0 or filters.numel() == 0:
        return empty_result(shape, x, filters)
    acc = torch.float64 if x.dtype == torch.float64 else torch.float32
    taps = apart(x, filters, options).to(acc)[:, :, :, 0].unsqueeze(3)  # [N, G, kh + kw, 1, H, W]
    picture = padded(x.to(acc), options).unflatten(1, (taps.shape[1], -1))
    rows, columns = options.kernel_size

    def row(i: int) -> Tensor:
        return _sum(taps[:, :, rows + j] * shifted(picture, (i, j), options) for j in range(columns))

    return _sum(taps[:, :, i] * row(i) for i in range(rows)).reshape(shape).to(x.dtype)


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, terms)
