"""Transfer functions: sRGB to light and back (IEC 61966-2-1, the exact piecewise curve)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ..io.srgb import GAIN, LINEAR_END, OFFSET, POWER, STEEPNESS, linear_to_srgb, srgb_to_linear

__all__ = [
    "empty_light",
    "encoded_values",
    "linear_to_srgb",
    "quantise",
    "srgb_to_linear",
    "to_linear",
]

_WORTH_THREADS = 1 << 20  # elements; for fewer, starting threads takes as long as the work
_INDEX_BITS = 20  # of the table for 8 bits: its thresholds are off by less than 0.002 of a step
_LEVELS = {torch.uint8: 255, torch.uint16: 65535}


def to_linear(x: Tensor, transfer: str = "srgb", *, out: Tensor | None = None) -> Tensor:
    """Stored values to linear light.

    Args:
        x: ``[..., H, W]``; uint8, uint16 (a table of all their values is used) or floating point in [0, 1].
        transfer: ``srgb`` or ``linear``, how ``x`` is encoded.
        out: float32 of the shape of ``x``, contiguous: memory to write into, for integers on the CPU.

    Returns: linear light in [0, 1]; float32 for integers, else the dtype of ``x``.
    """
    if x.is_floating_point():
        return srgb_to_linear(x) if transfer == "srgb" else x
    table = _table(x.dtype, transfer)
    if x.device.type != "cpu":
        return table.to(x.device)[x.to(torch.int32)]
    out = empty_light(x.shape) if out is None else out
    # NumPy's take is ten times as fast as torch's; picture by picture, because it makes its indices 8 bytes wide.
    values, results, levels = x.numpy(), out.numpy(), table.numpy()

    def one(index: tuple[int, ...]) -> None:
        np.take(levels, values[index], out=results[index], mode="clip")

    if torch.get_num_threads() == 1 or x.numel() < _WORTH_THREADS:
        for index in np.ndindex(*x.shape[:-2]):
            one(index)
    else:
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(one, np.ndindex(*x.shape[:-2])))
    return out


def empty_light(shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """Float32 memory to write light into. On the CPU from NumPy, which asks for huge pages where torch does not: the
    page faults of a light field take longer than the table does."""
    if torch.device(device).type == "cpu":
        return torch.from_numpy(np.empty(shape, np.float32))
    return torch.empty(shape, dtype=torch.float32, device=device)


@cache
def _table(dtype: torch.dtype, transfer: str) -> Tensor:
    levels = torch.linspace(0, 1, _LEVELS[dtype] + 1, dtype=torch.float64)
    return (srgb_to_linear(levels) if transfer == "srgb" else levels).float()


def quantise(light: Tensor, bits: int) -> np.ndarray:
    """Encode for display and round; the same whatever the number of threads.

    NumPy, and not torch: torch splits an array over its threads, and the last elements of a part may be rounded
    otherwise.

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
            values[..., i] = _code_table().take(x.astype(np.intp), mode="clip")
        else:
            bright = GAIN * np.power(x, np.float32(1 / POWER)) - np.float32(OFFSET)
            values[..., i] = np.rint(np.where(x <= LINEAR_END, x * np.float32(STEEPNESS), bright) * 65535)
    return values


def encoded_values(picture: Tensor, bits: int) -> np.ndarray:
    """A picture that is encoded already, ``[C, H, W]`` uint8 or uint16, as ``[H, W, C]`` with ``bits`` per channel."""
    values = picture.cpu().numpy().transpose(1, 2, 0)
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values) if bits == 8 else values.astype(np.uint16) * np.uint16(257)
    if bits == 16:
        return np.ascontiguousarray(values)
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


@cache
def _code_table() -> np.ndarray:
    x = torch.linspace(0, 1, 2**_INDEX_BITS, dtype=torch.float64).numpy()
    encoded = np.where(x <= LINEAR_END, x * STEEPNESS, GAIN * x ** (1 / POWER) - OFFSET)
    return np.rint(encoded * 255).astype(np.uint8)
