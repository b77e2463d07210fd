"""Ops put together from parts that know the transforms of PyTorch."""

from typing import Any

from torch import Tensor

from . import reference
from ._dispatch import backends
from ._filter_forms import Options
from ._filter_function import Filter
from .reference.drb_head import restored


def _filtered(x: Tensor, filters: Tensor, kernel_size: int) -> Tensor:
    if backends("dynamic_filter").get(x.device.type) == "ok":
        return Filter.apply(x, filters, *Options.of(kernel_size))
    return reference.dynamic_filter(x, filters, kernel_size)


def drb_head(*arguments: Any) -> Tensor:
    """As ``torch.ops.lfdeblur.drb_head``: 1x1 convolutions and the kernels of ``dynamic_filter``."""
    return restored(_filtered, *arguments)
