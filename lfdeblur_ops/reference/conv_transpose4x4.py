"""Reference of ``lfdeblur_ops.conv_transpose4x4``."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .._checks import without_autocast
from .._layouts import laid_out, layout_of
from ._empty import empty_result


def conv_transpose4x4(
    x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor | None, negative_slope: float
) -> Tensor:
    """``leaky_relu(conv_transpose(x) + bias) + residual``, kept in float32 (float64 for float64), rounded once.

    Arguments as those of ``torch.ops.lfdeblur.conv_transpose4x4``; the result has the layout that the op's has.
    """
    n, _, h, w = x.shape
    if h == 0 or w == 0:
        return empty_result((n, weight.shape[1], 2 * h, 2 * w), x, weight, bias, residual)
    acc = torch.float64 if x.dtype == torch.float64 else torch.float32
    bias = bias if bias is None else bias.to(acc)
    with without_autocast(x):
        out = F.conv_transpose2d(x.to(acc), weight.to(acc), bias, stride=2, padding=1)
    out = F.leaky_relu(out, negative_slope)
    out = out if residual is None else out + residual.to(acc)
    return laid_out(out.to(x.dtype), layout_of(x))
