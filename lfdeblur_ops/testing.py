"""For tests and benchmarks: the one table of tolerances against the float64 reference, peak memory, ``compare``."""

import ctypes
import gc
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import _comparison

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


class Error(NamedTuple):
    """What bounds an element's error: shares of three sizes.

    Attributes:
        sums: of the sum of its terms' absolute values.
        terms: of the root of the sum of their squares, as which roundings of single terms add up.
        result: of the element itself.
    """

    sums: float
    terms: float = 0.0
    result: float = 0.0


# Of a convolution and of its gradients. Float32 and float64 sum in their own dtype: 2**-21.6 and 2**-51.8 were seen.
# Narrow ones sum in float32 and round the result, twice where a residual is added after that, and some of the terms:
# gradients that an activation has passed, and what lies between two convolutions: half of what is allowed was seen.
ERROR = {
    torch.float64: Error(2**-50),
    torch.float32: Error(2**-20),
    torch.float16: Error(2**-21, 4 * 2**-11, 2 * 2**-11),
    torch.bfloat16: Error(2**-21, 4 * 2**-8, 2 * 2**-8),
}
# Transforms of F(4x4, 3x3) have rounding errors of their own: 2**-19.4 was seen, in gradients of weights.
ERROR_WINOGRAD = Error(2**-18)
# TF32 cuts both factors to ten bits, in each of two convolutions: towards zero, which makes the result smaller too.
ERROR_TF32 = Error(2**-21, 2**-7, 2**-8)

# Of the norm of a tensor's gradient, through sixty layers and back: some of their values change sign with the rounding
# and meet the other slope, which moves a few elements of a layer's gradient by much more than rounding does; how many
# depends on the processor. 1e-4 was seen on Winograd's transforms; in TF32, which changes more of them, 5e-2 on a GPU.
NETWORK_GRADIENT = 1e-3
NETWORK_GRADIENT_TF32 = 0.1

# Two ways to the same values of order 1, as those of pictures are. Few: a handful of float32 operations. Many: tens of
# layers, or sums over many views or pixels, in float32; the same in float64; and with the eight bits of bfloat16
# between some ten layers.
FEW_ROUNDINGS = 2e-6
MANY_ROUNDINGS = 1e-5
FLOAT64_ROUNDINGS = 1e-12
BFLOAT16_LAYERS = 0.05

# Gradients that are sums over all pixels, of one dtype in two orders: of the sum and of its terms, of order 1.
REORDERED_SUMS = {"rtol": 1e-4, "atol": 1e-4}

# Numbers read from logs and tables, which have six digits, and sums of some of them.
LOGGED_DIGITS = 1e-4


def half_a_step(levels: float) -> float:
    """The rounding of ``[0, 1]`` to ``levels`` steps, as of 8 or 16 bits, and some of float32's."""
    return 0.51 / levels + 1e-6


def rounded_to_tf32(x: torch.Tensor) -> torch.Tensor:
    """``x``, float32, with the last 13 bits of each value cleared: TF32 forms exact products of such values.

    A result that is then right in float32 has the sign that float64 gives it, and meets the same slope of LeakyReLU.
    """
    return (x.view(torch.int32) & -(1 << 13)).view(torch.float32)


def compare(
    theirs: Callable[..., Any],
    ours: Callable[..., Any],
    inputs: Sequence[Tensor] | Mapping[str, Tensor],
    *,
    seconds: float = 0.5,
) -> _comparison.Comparison:
    """Whether ``ours`` may stand where ``theirs`` stood, and what it gives: results, gradients, speed and memory.

    ``print(compare(their_layer, lambda x, f: dynamic_filter(x, f, 5), (x, f)))``

    Args:
        theirs, ours: functions or modules of the same tensors, which return a tensor, or a tuple, list or dict of them,
            None where there is none; compared place by place and key by key. Both draw the same random numbers.
        inputs: a tuple of tensors, or a dict of them by argument name; one device. Each call has copies of its own.
            Gradients are taken in those that require one, or, if none does, in all of floating point; in
            ``torch.inference_mode`` too.
        seconds: of wall clock, to time each of the two in, without gradients and again with them; at least three calls.

    Returns:
        A ``Comparison``: ``ok``, the largest errors, medians of the times of calls in turn, and peak memory of tensors
        as the allocators of the CPU and of CUDA tell it; ``str`` of it is a table. Errors are against ``theirs`` run in
        float64 on the same inputs (a module: a copy of it), where it can be. The tolerance of an element is ``TOL`` of
        its dtype (of its parts, if complex), ``atol`` as a share of the largest finite element of its channel (axis 1),
        or of the whole tensor if that has fewer than three axes or fewer than four elements in a channel. Elements that
        are infinite or NaN are equal where those of ``theirs`` are the same. Layers that raise or
        disagree are told of in it.

    Raises:
        TypeError, ValueError, RuntimeError: ``theirs``, ``ours``, ``inputs`` or ``seconds`` are not of that kind.
    """
    return _comparison.compare(theirs, ours, inputs, TOL, seconds)


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
