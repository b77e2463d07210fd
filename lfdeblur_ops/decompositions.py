"""The ops in PyTorch's own operators, for runtimes that have none of ours."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import reference
from ._dispatch import cpu_missing
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


def _winograd_conv3x3(
    taps: list[list[float]],
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
    """``taps``: of each of the 36 products, in which a weight is packed, its share of each of the weight's 9 taps."""
    blocks, inputs, lanes = packed.shape[1:]
    shares = torch.tensor(taps, dtype=packed.dtype, device=packed.device)
    weight = (shares.T @ packed.flatten(1)).view(3, 3, blocks, inputs, lanes)
    weight = weight.permute(2, 4, 3, 0, 1).reshape(blocks * lanes, inputs, 3, 3)
    joint = stacked(above, x)
    joint = joint if activated is None else joint * torch.where(activated > 0, 1.0, activated_slope)
    joint = joint if x2 is None else torch.cat([joint, stacked(x2_above, x2)], 1)
    out = F.leaky_relu(F.conv2d(F.pad(joint, (1, 1, pad_top, pad_bottom)), weight, bias), negative_slope)
    out = out if residual is None else out + stacked(residual_above, residual)
    return out.contiguous(memory_format=torch.channels_last)


def _unpacked() -> list[list[float]]:
    """``[36, 9]``: what takes the products of a packed weight back to its taps, of weights with one tap each."""
    each = torch.zeros(16, 16, 3, 3)
    each[0, :9] = torch.eye(9).view(9, 3, 3)
    products = torch.ops.lfdeblur.winograd_weight(each, False)[:, 0, :9, 0]
    shares: list[list[float]] = torch.linalg.pinv(products.double()).T.tolist()
    return shares


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
        "conv_transpose4x4": reference.conv_transpose4x4,
        "drb_head": reference.drb_head,
        "dynamic_filter": reference.dynamic_filter,
        "refocus": reference.refocus,
        "residual_block": _residual_block,
    }
    if cpu_missing() is None:
        table |= {"drb_head_rows": _drb_head_rows, "winograd_conv3x3": partial(_winograd_conv3x3, _unpacked())}
    ours = torch.ops.lfdeblur
    return {getattr(ours, name).default: run for name, run in table.items() if hasattr(ours, name)}
