"""Reference of ``lfdeblur_ops.conv3x3``."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .._checks import without_autocast
from .._layouts import laid_out, layout_of
from ._empty import empty_result


def conv3x3(
    x: Tensor,
    x2: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor | None,
    stride: int,
    negative_slope: float,
) -> Tensor:
    """``leaky_relu(conv(cat([x, x2])) + bias) + residual``, kept in float32 (float64 for float64), rounded once.

    Arguments as those of ``torch.ops.lfdeblur.conv3x3``; the result has the layout that the op's has.
    """
    n, _, h, w = x.shape
    if h == 0 or w == 0:
        shape = (n, weight.shape[0], -(-h // stride), -(-w // stride))
        return empty_result(shape, x, x2, weight, bias, residual)
    acc = torch.float64 if x.dtype == torch.float64 else torch.float32
    joint = x if x2 is None else torch.cat([x, x2], 1)
    bias = bias if bias is None else bias.to(acc)
    with without_autocast(x):
        out = F.leaky_relu(F.conv2d(joint.to(acc), weight.to(acc), bias, stride, padding=1), negative_slope)
    out = out if residual is None else out + residual.to(acc)
    return laid_out(out.to(x.dtype), layout_of(x))
