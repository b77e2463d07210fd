"""Reference of ``lfdeblur_ops.drb_head``: the three layers one after the other."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .dynamic_filter import dynamic_filter


def drb_head(
    kernel_features: Tensor,
    kernel_weight: Tensor,
    kernel_bias: Tensor | None,
    residual_features: Tensor,
    residual_weight: Tensor,
    residual_bias: Tensor | None,
    image: Tensor,
    kernel_size: int,
    negative_slope: float,
    low: float,
    high: float,
) -> Tensor:
    """``clamp(image + dynamic_filter(image, filters) + residual, low, high)``, both predicted by 1x1 convolutions.

    Arguments as those of ``torch.ops.lfdeblur.drb_head``: weights ``[k*k, F]`` and ``[C, R]``. Kept in float32 (float64
    for float64), rounded once.
    """
    acc = torch.float64 if image.dtype == torch.float64 else torch.float32
    kernel_bias, residual_bias = (b if b is None else b.to(acc) for b in (kernel_bias, residual_bias))
    filters = F.conv2d(kernel_features.to(acc), kernel_weight.to(acc)[:, :, None, None], kernel_bias)
    residual = F.conv2d(residual_features.to(acc), residual_weight.to(acc)[:, :, None, None], residual_bias)
    wide = image.to(acc)
    out = wide + dynamic_filter(wide, filters, kernel_size) + F.leaky_relu(residual, negative_slope)
    return out.clamp(low, high).to(image.dtype).contiguous()
