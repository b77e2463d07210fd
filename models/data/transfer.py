"""Transfer functions: sRGB to light and back (IEC 61966-2-1, the exact piecewise curve)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor

# The curve: a line to LINEAR_END (as light) or ENCODED_END (as sRGB), then a power.
LINEAR_END, ENCODED_END, STEEPNESS = 0.0031308, 0.04045, 12.92
GAIN, OFFSET, POWER = 1.055, 0.055, 2.4
_WORTH_THREADS = 1 << 20  # elements; for fewer, starting threads takes as long as the work
_LEVELS = {torch.uint8: 255, torch.uint16: 65535}


def srgb_to_linear(x: Tensor) -> Tensor:
    """sRGB values in [0, 1] to linear light in [0, 1]; any shape, floating point."""
    return torch.where(x <= ENCODED_END, x / STEEPNESS, ((x.clamp_min(ENCODED_END) + OFFSET) / GAIN) ** POWER)


def linear_to_srgb(x: Tensor) -> Tensor:
    """Linear light in [0, 1] to sRGB values in [0, 1]; any shape, floating point; the inverse of ``srgb_to_linear``."""
    return torch.where(x <= LINEAR_END, x * STEEPNESS, GAIN * x.clamp_min(LINEAR_END) ** (1 / POWER) - OFFSET)


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
    out = empty(x.shape) if out is None else out
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


def empty(shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """Float32 memory to write light into. On the CPU from NumPy, which asks for huge pages where torch does not: the
    page faults of a light field take longer than the table does."""
    if torch.device(device).type == "cpu":
        return torch.from_numpy(np.empty(shape, np.float32))
    return torch.empty(shape, dtype=torch.float32, device=device)


@cache
def _table(dtype: torch.dtype, transfer: str) -> Tensor:
    levels = torch.linspace(0, 1, _LEVELS[dtype] + 1, dtype=torch.float64)
    return (srgb_to_linear(levels) if transfer == "srgb" else levels).float()
