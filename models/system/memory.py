"""Memory: what the machine has left, what the process holds."""

import ctypes
import re
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from .sizes import parse_size, show_size

__all__ = [
    "available",
    "forget_peak",
    "held",
    "keep_freed_memory",
    "parse_size",
    "peak",
    "return_large_blocks",
    "show_size",
    "trim",
]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt


def available(device: torch.device, root: Path = Path("/")) -> int:
    """Bytes that the process may still take: free memory of the GPU, else what system and control group leave.

    psutil knows nothing of control groups.

    Args:
        device: whose memory.
        root: where the control groups' ``proc`` and ``sys`` lie.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return max(0, min([psutil.virtual_memory().available, *_groups(root)]))


def _groups(root: Path) -> list[int]:
    """What each control group that the process is in leaves, version 1 and 2."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    left = []
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers == "":
            base, limit, usage, cache = root / "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            limit, usage, cache = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        folder = base / name.lstrip("/")
        for group in (folder, *folder.parents):  # a parent's limit holds too; in a container only some are there
            try:
                most, used = (group / limit).read_text().strip(), int((group / usage).read_text())
                stat = (group / "memory.stat").read_text()
            except OSError:
                most, used, stat = "max", 0, ""
            if most != "max":
                reclaimed = re.search(rf"^{cache} (\d+)$", stat, re.MULTILINE)
                left.append(int(most) - used + (int(reclaimed[1]) if reclaimed else 0))
            if group == base:
                break
    return left


def held(device: torch.device) -> int:
    """Bytes that the process holds now: resident set, or PyTorch's share of the GPU."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    return int(psutil.Process().memory_info().rss)


def trim() -> None:
    """Give memory that was freed back to the system, where the C library can."""
    with suppress(AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


def return_large_blocks() -> None:
    """From now on, have memory of large tensors given back to the system as soon as it is free.

    The C library would keep blocks of up to 32 MB for reuse, and what a network takes would then differ by half
    from run to run. Those of up to 16 MB, bands of rows and their neighbours, it keeps: fresh pages for each of them
    took a fifth of a photograph's time. For programs that own their process; tensors of photographs are larger anyway.
    """
    _keep(blocks=16 << 20, in_all=64 << 20)


def keep_freed_memory() -> None:
    """From now on, keep memory that was freed for reuse: for work that takes blocks of the same sizes again and again.

    Else each scene's light is written to fresh pages. For programs that own their process.
    """
    _keep(blocks=1 << 30, in_all=1 << 30)


def _keep(*, blocks: int, in_all: int) -> None:
    """How large freed blocks of memory are kept for reuse, and how much of them at the heap's end."""
    with suppress(AttributeError):  # not glibc
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, blocks)
        library.mallopt(_TRIM_THRESHOLD, in_all)


def forget_peak() -> bool:
    """Count the peak of the resident set from here on; False where the system cannot. psutil tells none on Linux."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak() -> int:
    """Bytes of the largest resident set since ``forget_peak``; 0 where the system does not tell."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0
