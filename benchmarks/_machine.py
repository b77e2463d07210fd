"""Facts of the machine and its measured limits: bandwidths and peak arithmetic."""

import datetime
import os
import platform
import subprocess
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import lfdeblur_ops

ROOT = Path(__file__).resolve().parent.parent
BUFFER_BYTES = {"cpu": 256 << 20, "cuda": 2 << 30}


def describe(device: str) -> dict[str, Any]:
    """Device, versions, build, date, commit and measured limits (GB/s and GFLOP/s)."""
    return {
        "device": device,
        "name": torch.cuda.get_device_name() if device == "cuda" else _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": {"python": platform.python_version()}
        | {name: _version(name) for name in ("torch", "numpy", "scipy")},
        "cuda": torch.version.cuda,
        # Without the library's place, which is of this machine alone.
        "build_info": {name: value for name, value in lfdeblur_ops.build_info().items() if name != "library"},
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        **measure_limits(device),
    }


def measure_limits(device: str) -> dict[str, Any]:
    """Best rates seen: the floor of a row is what its bytes and operations take at these."""
    data = torch.rand(BUFFER_BYTES[device] // 4, device=device)
    target = torch.empty_like(data)
    size = data.numel() * data.element_size()
    integers = data.view(torch.int64)
    reads: tuple[Callable[[], Any], ...] = (data.amax, data.sum, integers.sum, lambda: torch.dot(data, data))
    return {
        "read_gb_s": max(size / best_seconds(read, device) for read in reads) / 1e9,
        "copy_gb_s": 2 * size / best_seconds(lambda: target.copy_(data), device) / 1e9,
        "peak_gflop_s": {str(dtype)[6:]: _matmul_gflops(device, dtype) for dtype in (torch.float32, torch.bfloat16)},
    }


def best_seconds(call: Callable[[], Any], device: str, seconds: float = 0.5, least: int = 5) -> float:
    """Shortest of repeated calls; at least ``least`` of them, then for ``seconds``."""
    best, end, count = float("inf"), time.perf_counter() + seconds, 0
    while count < least or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
        count += 1
    return best


def _matmul_gflops(device: str, dtype: torch.dtype) -> float:
    """Rate of the largest square product that takes about 50 ms; some processors have no fast bfloat16."""
    size, best, largest = 256, 0.0, 8192 if device == "cuda" else 2048
    while True:
        a = torch.rand(size, size, device=device).to(dtype)
        seconds = best_seconds(partial(torch.matmul, a, a), device, seconds=0.1, least=2)
        best = max(best, 2 * size**3 / seconds / 1e9)
        if seconds > 0.05 or size >= largest:
            return best
        size *= 2


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """The git commit, with ``+`` where a tracked file outside ``benchmarks/results`` and README.md differs from it."""
    if noted := os.environ.get("LFDEBLUR_COMMIT"):  # where the files were copied without their repository
        return noted
    git = ("git", "-C", str(ROOT))
    ignored = (":!benchmarks/results", ":!README.md")
    try:
        commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno", "--", ".", *ignored], capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
