"""Reference of ``lfdeblur_ops.drb_head``: the three layers one after the other."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .._checks import without_autocast
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
    low: float | None,
    high: float | None,
) -> Tensor:
    """``clamp(image + dynamic_filter(image, filters) + residual, low, high)``, both predicted by 1x1 convolutions.

    Arguments as those of ``torch.ops.lfdeblur.drb_head``: weights ``[k*k, F]`` and ``[C, R]``. Kept in float32 (float64
    for float64), rounded once.
    """
    predicted = (kernel_features, kernel_weight, kernel_bias, residual_features, residual_weight, residual_bias)
    return restored(dynamic_filter, *predicted, image, kernel_size, negative_slope, low, high)


def restored(
    filtered: Callable[[Tensor, Tensor, int], Tensor],
    kernel_features: Tensor,
    kernel_weight: Tensor,
    kernel_bias: Tensor | None,
    residual_features: Tensor,
    residual_weight: Tensor,
    residual_bias: Tensor | None,
    image: Tensor,
    kernel_size: int,
    negative_slope: float,
    low: float | None,
    high: float | None,
) -> Tensor:
    """The same with another ``dynamic_filter``."""
    acc = torch.float64 if image.dtype == torch.float64 else torch.float32
    with without_autocast(image):
        filters = _conv1x1(kernel_features.to(acc), kernel_weight.to(acc), kernel_bias)
        residual = _conv1x1(residual_features.to(acc), residual_weight.to(acc), residual_bias)
    wide = image.to(acc)
    out = wide + filtered(wide, filters, kernel_size) + F.leaky_relu(residual, negative_slope)
    if low is not None or high is not None:
        out = out.clamp(low, high)
    return out.to(image.dtype).contiguous()


def _conv1x1(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 1x1 convolution that takes empty batches, pictures and weights too."""
    out = torch.einsum("nfhw,kf->nkhw", x, weight)
    return out if bias is None else out + bias.to(x.dtype)[:, None, None]
