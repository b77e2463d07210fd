"""How results lie in memory."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ._levels import transformed


def layout_of(x: Tensor) -> torch.memory_format:
    """Layout of what is computed from ``x``: on the CPU that of ``x``, a slice's too; on others channels-last."""
    if x.device.type != "cpu" or (x.stride(1) == 1 and not x.is_contiguous()):
        return torch.channels_last
    return torch.contiguous_format


def memory_format(x: Tensor) -> torch.memory_format:
    """That of ``x``, on every device."""
    last = x.stride(1) == 1 and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def empty_output(x: Tensor, shape: Sequence[int | torch.SymInt], layout: torch.memory_format | None = None) -> Tensor:
    """For fake tensors, of which nothing is copied; no layout is that of what is computed from ``x``."""
    return x.new_empty(tuple(shape)).to(memory_format=layout or layout_of(x))


def empty_gradients(x: Tensor, filters: Tensor, need_x: bool, need_filters: bool) -> tuple[Tensor, Tensor]:
    """Those of a per-pixel filter, for fake tensors: as ``new_gradients`` of csrc/filter_geometry.cpp has them."""
    return (
        empty_output(x, x.shape, memory_format(x)) if need_x else x.new_empty((0,)),
        torch.empty_like(filters) if need_filters else filters.new_empty((0,)),
    )


def laid_out(out: Tensor, layout: torch.memory_format) -> Tensor:
    """A result in the layout; ``vmap``, which has none but the contiguous one, leaves it as it is.

    So does a dual level: ``torch.autograd.functional`` batches tangents there and nothing tells.
    """
    return out if transformed() else out.contiguous(memory_format=layout)


def channels_last(x: Tensor) -> Tensor:
    """``x`` with the channels of a pixel side by side, which the convolutions run fastest on, also under ``vmap``.

    Args:
        x: ``[N, C, H, W]``, of any dtype and device.

    Returns: ``x.contiguous(memory_format=torch.channels_last)``; within a transform of ``torch.func``, ``x`` itself:
        ``vmap`` refuses every layout but the contiguous one.
    """
    return laid_out(x, torch.channels_last)
