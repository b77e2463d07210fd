"""The ops in PyTorch's own operators, for runtimes that have none of ours."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from . import reference


def _conv3x3(*arguments: Any) -> Tensor:
    return reference.conv3x3(*arguments[:7])  # what follows chooses a kernel


def _residual_block(*arguments: Any) -> Tensor:
    return reference.residual_block(*arguments[:6])


def decompositions() -> dict[torch._ops.OpOverload, Callable[..., Any]]:
    """What each operator of the library is in plain PyTorch, for ``ExportedProgram.run_decompositions``.

    The reference of every public op, in any dtype it takes; for ONNX, Core ML and other runtimes. An exported program
    that is decomposed so needs no ``lfdeblur_ops`` any more.

    Returns: ``{OpOverload: function}``, to be merged with PyTorch's own table or used alone.

    Example:
        >>> program = torch.export.export(net, (picture,))
        >>> plain = program.run_decompositions(torch.export.default_decompositions() | lfdeblur_ops.decompositions())
    """
    table = {
        "conv3x3": _conv3x3,
        "conv_transpose4x4": reference.conv_transpose4x4,
        "drb_head": reference.drb_head,
        "dynamic_filter": reference.dynamic_filter,
        "refocus": reference.refocus,
        "residual_block": _residual_block,
    }
    ours = torch.ops.lfdeblur
    return {getattr(ours, name).default: run for name, run in table.items() if hasattr(ours, name)}
