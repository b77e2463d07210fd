"""Linear light to the values of a picture file; the same whatever the number of threads.

NumPy, and not torch: torch splits an array over its threads, and the last elements of a part may be rounded otherwise.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from .transfer import GAIN, LINEAR_END, OFFSET, POWER, STEEPNESS

_INDEX_BITS = 20  # of the table for 8 bits: its thresholds are off by less than 0.002 of a step


def quantise(light: Tensor, bits: int) -> np.ndarray:
    """Encode for display and round.

    Args:
        light: ``[C, H, W]`` float32 linear light; cut to [0, 1].
        bits: 8 or 16.

    Returns: ``[H, W, C]`` uint8 or uint16.
    """
    channels = light.detach().cpu().numpy()
    values = np.empty((*channels.shape[1:], len(channels)), np.uint8 if bits == 8 else np.uint16)
    for i, channel in enumerate(channels):  # one at a time: all steps stay in the processor's cache
        x = np.clip(channel, 0, 1)
        if bits == 8:
            x *= 2**_INDEX_BITS - 1
            x += 0.5
            values[..., i] = _table().take(x.astype(np.intp), mode="clip")
        else:
            bright = GAIN * np.power(x, np.float32(1 / POWER)) - np.float32(OFFSET)
            values[..., i] = np.rint(np.where(x <= LINEAR_END, x * np.float32(STEEPNESS), bright) * 65535)
    return values


def codes(picture: Tensor, bits: int) -> np.ndarray:
    """A picture that is encoded already, ``[C, H, W]`` uint8 or uint16, as ``[H, W, C]`` with ``bits`` per channel."""
    values = picture.cpu().numpy().transpose(1, 2, 0)
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values) if bits == 8 else values.astype(np.uint16) * np.uint16(257)
    if bits == 16:
        return np.ascontiguousarray(values)
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


@cache
def _table() -> np.ndarray:
    x = torch.linspace(0, 1, 2**_INDEX_BITS, dtype=torch.float64).numpy()
    encoded = np.where(x <= LINEAR_END, x * STEEPNESS, GAIN * x ** (1 / POWER) - OFFSET)
    return np.rint(encoded * 255).astype(np.uint8)
