"""Views of another size, as larger or smaller pixels see them: light is averaged, not its code values."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .transfer import linear_to_srgb, quantise, to_linear

_SLACK = 1e-9  # so that scale * length, meant to be a whole number, is not cut to the one below
_LEVELS = {torch.uint8: 255, torch.uint16: 65535}


def scaled(length: int, scale: float) -> int:
    """Pixels of ``length`` that are wholly covered, at this scale."""
    return math.floor(length * scale * (1 + _SLACK))


def resampled(views: Tensor, transfer: str, scale: float) -> Tensor:
    """Views at another scale: bicubic, and the averages of light where it is below 1.

    The scale is the same along both axes, whatever the sizes: pixel ``y`` stands at ``(y + 0.5) / scale - 0.5`` of the
    old ones. Last rows and columns that are not whole are left out.

    Args:
        views: ``[V, U, C, H, W]`` of any dtype of a light field.
        transfer: ``srgb`` or ``linear``, how they are encoded.

    Returns: ``[V, U, C, H', W']`` of the same dtype and encoding; integers are rounded and cut at black and white.
    """
    height, width = (scaled(length, scale) for length in views.shape[-2:])
    result = torch.empty((*views.shape[:3], height, width), dtype=views.dtype)
    factor = scale * (1 + _SLACK)
    for index in np.ndindex(*views.shape[:2]):  # one at a time: in light a view takes four times as much memory
        light = to_linear(views[index].contiguous(), transfer)
        work = light if light.dtype == torch.float64 else light.float()
        small = F.interpolate(work[None], scale_factor=(factor, factor), mode="bicubic", antialias=True)[0]
        result[index] = encoded(small, transfer, views.dtype)
    return result


def nearest(picture: Tensor, scale: float) -> Tensor:
    """``[H, W]`` at another scale, each pixel one of the old ones: depths on both sides of an edge are not mixed."""
    factor = scale * (1 + _SLACK)
    return F.interpolate(picture[None, None], scale_factor=(factor, factor), mode="nearest-exact")[0, 0]


def encoded(light: Tensor, transfer: str, dtype: torch.dtype) -> Tensor:
    """Linear light ``[C, H, W]`` as values of ``transfer``; integers are rounded and cut at black and white."""
    if dtype not in _LEVELS:
        return (linear_to_srgb(light) if transfer == "srgb" else light).to(dtype)
    if transfer == "srgb":
        values = quantise(light, 8 if dtype == torch.uint8 else 16)
        return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))
    return (light.clamp(0, 1) * _LEVELS[dtype]).round().to(torch.int32).to(dtype)
