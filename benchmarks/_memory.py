"""Peak memory of one call, beyond what was held before it."""

import ctypes
import gc
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

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
