"""The sRGB curve, exact and piecewise (IEC 61966-2-1): encoded for display to light, and back."""

import torch
from torch import Tensor

# The curve: a line to LINEAR_END (as light) or ENCODED_END (as sRGB), then a power.
LINEAR_END, ENCODED_END, STEEPNESS = 0.0031308, 0.04045, 12.92
GAIN, OFFSET, POWER = 1.055, 0.055, 2.4


def srgb_to_linear(x: Tensor) -> Tensor:
    """sRGB values in [0, 1] to linear light in [0, 1]; any shape, floating point."""
    return torch.where(x <= ENCODED_END, x / STEEPNESS, ((x.clamp_min(ENCODED_END) + OFFSET) / GAIN) ** POWER)


def linear_to_srgb(x: Tensor) -> Tensor:
    """Linear light in [0, 1] to sRGB values in [0, 1]; any shape, floating point; the inverse of ``srgb_to_linear``."""
    return torch.where(x <= LINEAR_END, x * STEEPNESS, GAIN * x.clamp_min(LINEAR_END) ** (1 / POWER) - OFFSET)
