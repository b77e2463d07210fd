"""Reference of ``lfdeblur_ops.residual_block``."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .._checks import without_autocast
from .._layouts import laid_out, layout_of
from ._empty import empty_result


def residual_block(
    x: Tensor, weight1: Tensor, bias1: Tensor | None, weight2: Tensor, bias2: Tensor | None, negative_slope: float
) -> Tensor:
    """``x + conv(leaky_relu(conv(x)))``, kept in float32 (float64 for float64), rounded once.

    Arguments as those of ``torch.ops.lfdeblur.residual_block``; the result has the layout that the op's has.
    """
    if x.shape[2] == 0 or x.shape[3] == 0:
        return empty_result(x.shape, x, weight1, bias1, weight2, bias2)
    acc = torch.float64 if x.dtype == torch.float64 else torch.float32
    bias1, bias2 = (b if b is None else b.to(acc) for b in (bias1, bias2))
    with without_autocast(x):
        hidden = F.leaky_relu(F.conv2d(x.to(acc), weight1.to(acc), bias1, padding=1), negative_slope)
        out = x.to(acc) + F.conv2d(hidden, weight2.to(acc), bias2, padding=1)
    return laid_out(out.to(x.dtype), layout_of(x))
