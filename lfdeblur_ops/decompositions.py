"""The ops in PyTorch's own operators, for runtimes that have none of ours."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import reference
from ._layouts import layout_of
from .row_layers import PackedHead, stacked


def _conv3x3(*arguments: Any) -> Tensor:
    return reference.conv3x3(*arguments[:7])  # what follows chooses a kernel


def _residual_block(*arguments: Any) -> Tensor:
    return reference.residual_block(*arguments[:6])


def _drb_head_rows(*arguments: Any) -> Tensor:
    features, weight, bias, residual_features, residual_weight, residual_bias, image, *options = arguments
    first_row, kernel_size, slope, *bounds = options
    weights = (weight, bias, residual_weight, residual_bias)
    head = PackedHead(*weights, kernel_size, dtype=weight.dtype, negative_slope=slope)
    head.method = "pytorch"
    return head(features, residual_features, image, first_row, *bounds)


def _unpacked(products: Tensor, axis: int) -> Tensor:
    """The three taps of a weight along an axis of its six products (csrc/cpu/kernels/winograd_points.h)."""
    first, minus, plus, *_, last = products.unbind(axis)
    return torch.stack([first, (plus - minus) * (3 / 8**0.5), last], axis)


def _winograd_conv3x3(
    above: Tensor | None,
    x: Tensor,
    x2_above: Tensor | None,
    x2: Tensor | None,
    packed: Tensor,
    bias: Tensor | None,
    residual_above: Tensor | None,
    residual: Tensor | None,
    pad_top: int,
    pad_bottom: int,
    negative_slope: float,
    activated: Tensor | None = None,
    activated_slope: float = 1.0,
) -> Tensor:
    weight = _unpacked(_unpacked(packed.unflatten(0, (6, 6)), 0), 1).permute(2, 4, 3, 0, 1).flatten(0, 1)
    joint = stacked(above, x)
    joint = joint if activated is None else joint * torch.where(activated > 0, 1.0, activated_slope)
    joint = joint if x2 is None else torch.cat([joint, stacked(x2_above, x2)], 1)
    joint = F.pad(joint.to(weight.dtype), (1, 1, pad_top, pad_bottom))
    out = F.leaky_relu(F.conv2d(joint, weight, bias), negative_slope)
    out = out if residual is None else out + stacked(residual_above, residual)
    return out.to(x.dtype).contiguous(memory_format=torch.channels_last)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor | None,
    stride: int,
    pad_rows: int,
    transposed: bool,
    negative_slope: float,
) -> Tensor:
    """Summed in float32, float64 in its own, and rounded once."""
    acc = torch.promote_types(x.dtype, torch.float32)
    bias = None if bias is None else bias.to(acc)
    convolve = F.conv_transpose2d if transposed else F.conv2d
    out = F.leaky_relu(convolve(x.to(acc), weight.to(acc), bias, stride, (pad_rows, 1)), negative_slope)
    out = out if residual is None else out + residual.to(acc)
    return out.to(x.dtype).contiguous(memory_format=layout_of(x))


def decompositions() -> dict[torch._ops.OpOverload, Callable[..., Any]]:
    """What each operator of the library is in plain PyTorch, for ``ExportedProgram.run_decompositions``.

    The reference of every public op, in any dtype it takes, and of the layers of ``optimize``; for ONNX, Core ML and
    other runtimes. An exported program that is decomposed so needs no ``lfdeblur_ops`` any more.

    Returns: ``{OpOverload: function}``, to be merged with PyTorch's own table or used alone.

    Example:
        >>> program = torch.export.export(net, (picture,))
        >>> plain = program.run_decompositions(torch.export.default_decompositions() | lfdeblur_ops.decompositions())
    """
    table: dict[str, Callable[..., Any]] = {
        "conv3x3": _conv3x3,
        "convolution": _convolution,
        "conv_transpose4x4": reference.conv_transpose4x4,
        "drb_head": reference.drb_head,
        "drb_head_rows": _drb_head_rows,
        "dynamic_filter": reference.dynamic_filter,
        "dynamic_filter_separable": reference.dynamic_filter_separable,
        "refocus": reference.refocus,
        "residual_block": _residual_block,
        "winograd_conv3x3": _winograd_conv3x3,
    }
    ours = torch.ops.lfdeblur
    return {getattr(ours, name).default: run for name, run in table.items() if hasattr(ours, name)}
