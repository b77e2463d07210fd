"""For tests and benchmarks: the one table of tolerances against the float64 reference, and a call's peak memory."""

import ctypes
import gc
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)

# Defaults of torch.testing.assert_close. Results are rounded once, to the output's dtype, from sums held in float32
# (float64 for float64); the reference is computed in float64 from the same inputs and rounded once too.
TOL = {
    torch.float64: {"rtol": 1e-7, "atol": 1e-7},
    torch.float32: {"rtol": 1.3e-6, "atol": 1e-5},
    torch.float16: {"rtol": 1e-3, "atol": 1e-5},
    torch.bfloat16: {"rtol": 1.6e-2, "atol": 1e-5},
}

# residual_block keeps what lies between its convolutions in the dtype of its input, as two convolutions would: each of
# those values is off by half a unit, so that a sum over 9 * 64 of them is off by as much of its terms' size.
TOL_HIDDEN = {
    torch.float32: {"rtol": 1.3e-6, "atol": 1e-5},
    torch.float16: {"rtol": 1e-3, "atol": 2e-3},
    torch.bfloat16: {"rtol": 1.6e-2, "atol": 1.6e-2},
}

# On a GPU, PyTorch lets float32 convolutions round their factors to TF32's ten bits (unless it is told otherwise), ours
# as well as cuDNN's: each product is off by up to 1e-3, and sums over 9 * 64 of them by as much of their largest value.
TOL_TF32 = {"rtol": 2e-3, "atol": 2e-3}

# Winograd's F(4x4, 3x3) adds up the same products through transforms, whose rounding errors are about three times those
# of the direct sum: 2e-6 of the largest value, against 0.5e-6, in gradients of weights over 4000 pixels.
TOL_WINOGRAD = {"rtol": 4e-6, "atol": 2e-5}

# Of the largest of a layer's gradients, through sixty layers and back, some of whose values change sign with the
# rounding and meet the other slope: 5e-5 at most (median 7e-6) from float64 on Winograd's transforms, 3e-6 on direct
# sums.
TOL_NETWORK_GRADIENT = 2e-4

# The same in TF32, whose rounding changes the sign of more of them, as a share of the gradient's norm: 5e-2 on an H200.
TOL_NETWORK_GRADIENT_TF32 = 0.1


def rounded_to_tf32(x: torch.Tensor) -> torch.Tensor:
    """``x``, float32, with the last 13 bits of each value cleared: TF32 forms exact products of such values.

    A result that is then right in float32 has the sign that float64 gives it, and meets the same slope of LeakyReLU.
    """
    return (x.view(torch.int32) & -(1 << 13)).view(torch.float32)


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_bytes(call: Callable[[], Any], device: str) -> tuple[int | None, float]:
    """Bytes at the peak less those before, the result included (None where the system does not tell), and seconds.

    On CUDA the allocator's own count; on Linux the high-water mark of the resident set, reset before the call.
    """
    gc.collect()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        seconds = _seconds(call)
        torch.cuda.synchronize()
        return int(torch.cuda.max_memory_allocated() - before), seconds
    try:
        ctypes.CDLL(None).malloc_trim(0)  # give freed blocks back, or the call would reuse them unseen
        _CLEAR.write_text("5")
        before = _kilobytes("VmRSS")
    except (OSError, AttributeError):
        return None, _seconds(call)
    seconds = _seconds(call)
    return (_kilobytes("VmHWM") - before) * 1024, seconds


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _kilobytes(field: str) -> int:
    match = re.search(rf"{field}:\s+(\d+) kB", _STATUS.read_text())
    if match is None:
        raise OSError(f"{_STATUS} has no {field}")
    return int(match[1])
