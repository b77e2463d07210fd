"""Convolutions on the CPU through oneDNN's fused primitives, which PyTorch ships.

PyTorch has no public name for a convolution with its activation or addition fused; these are the operators that
torch.compile uses. Where one is missing, or a dtype has no oneDNN convolution, PyTorch's own convolution does the work.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ._layouts import layout_of

HALF = (torch.bfloat16, torch.float16)


def fused(dtype: torch.dtype) -> bool:
    """Whether this processor and this PyTorch have a fused convolution of the dtype."""
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return False
    names = ("_convolution_pointwise", "_convolution_transpose_pointwise")
    if not all(hasattr(torch.ops.mkldnn, name) for name in names):
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if dtype == torch.float16:
        return bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())
    return dtype == torch.float32


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: int = 1,
    padding: Sequence[int] = (1, 1),
    transposed: bool = False,
    negative_slope: float = 1.0,
    residual: Tensor | None = None,
    layout: torch.memory_format | None = None,
) -> Tensor:
    """``leaky_relu(conv(x) + bias) + residual`` on the CPU. A slope of 1 is no activation; no layout is ``x``'s."""
    dtype = x.dtype
    layout = layout or layout_of(x)
    n, _, h, w = x.shape
    if h == 0 or w == 0:  # PyTorch's convolutions refuse it
        size = (2 * h, 2 * w) if transposed else (-(-h // stride), -(-w // stride))
        return x.new_empty((n, weight.shape[1 if transposed else 0], *size))
    if dtype in HALF and not fused(dtype):
        # Without such instructions float32 is a hundred times faster than a convolution in the narrow type.
        wide = [t if t is None else t.float() for t in (x, weight, bias, residual)]
        out = convolution(
            wide[0],  # type: ignore[arg-type]
            wide[1],  # type: ignore[arg-type]
            wide[2],
            stride=stride,
            padding=padding,
            transposed=transposed,
            negative_slope=negative_slope,
            residual=wide[3],
            layout=layout,
        )
        return out.to(dtype)
    if dtype == torch.bfloat16 and stride == 2 and not transposed and w <= 2:
        # With AMX, oneDNN reads memory that is not the input's where the result is one pixel wide (torch 2.13): two.
        x = F.pad(x, (0, 4 - w))
        out = convolution(x, weight, bias, stride=2, padding=padding, negative_slope=negative_slope, layout=layout)[
            ..., :1
        ]
        return (out if residual is None else out + residual).contiguous(memory_format=layout)
    x = x.contiguous(memory_format=layout)
    if layout == torch.contiguous_format:
        weight = weight.contiguous()  # one that is channels-last would make the result so
    if x.numel() == 0 or not fused(dtype):
        return _plain(x, weight, bias, stride, padding, transposed, negative_slope, residual).contiguous(
            memory_format=layout
        )
    attribute = ("none", []) if negative_slope == 1 else ("leaky_relu", [negative_slope])
    geometry = ([stride, stride], [1, 1], 1)
    if transposed:
        out = torch.ops.mkldnn._convolution_transpose_pointwise(
            x, weight, bias, list(padding), [0, 0], *geometry, *attribute, ""
        )
    elif residual is not None and negative_slope == 1:
        residual = residual.contiguous(memory_format=layout)
        out = torch.ops.mkldnn._convolution_pointwise.binary(
            x, residual, weight, bias, list(padding), *geometry, "add", None, None, [], None
        )
        residual = None
    else:
        out = torch.ops.mkldnn._convolution_pointwise(x, weight, bias, list(padding), *geometry, *attribute, "")
    if residual is not None:
        out.add_(residual)
    return out.contiguous(memory_format=layout)  # oneDNN takes one channel or pixel for either layout


def _plain(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    padding: Sequence[int],
    transposed: bool,
    negative_slope: float,
    residual: Tensor | None,
) -> Tensor:
    convolve = F.conv_transpose2d if transposed else F.conv2d
    out = convolve(x, weight, bias, stride, tuple(padding))
    if negative_slope != 1:
        F.leaky_relu_(out, negative_slope)
    if residual is not None:
        out.add_(residual)
    return out
