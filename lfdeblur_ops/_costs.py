"""What two calls take beside each other: time and memory."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

LEAST_ROUNDS, MOST_ROUNDS = 3, 50


class Cost(NamedTuple):
    """What one call takes.

    Attributes:
        theirs_ms, ours_ms: medians of the times, milliseconds.
        times: median of the ratios of calls beside each other, theirs over ours.
        theirs_bytes, ours_bytes: of tensors at the peak, beside the inputs; None where no allocator tells.
    """

    theirs_ms: float
    ours_ms: float
    times: float
    theirs_bytes: int | None
    ours_bytes: int | None


Prepare = Callable[[], Callable[[], Any]]  # makes what is called once, so that each call has tensors of its own


def cost(sides: Sequence[Prepare], device: torch.device, seconds: float) -> Cost:
    """Times in turn, after the peaks, whose calls also warm up."""
    peaks = [allocated_bytes(prepare, device) for prepare in sides]
    times: tuple[list[float], list[float]] = ([], [])
    stop = time.perf_counter() + 2 * seconds
    while len(times[0]) < LEAST_ROUNDS or (time.perf_counter() < stop and len(times[0]) < MOST_ROUNDS):
        for side in (0, 1) if len(times[0]) % 2 else (1, 0):  # nobody is always the first
            times[side].append(_seconds(sides[side](), device))
    ratio = statistics.median(theirs / ours for theirs, ours in zip(*times, strict=True))
    theirs_ms, ours_ms = (statistics.median(side) * 1e3 for side in times)
    return Cost(theirs_ms, ours_ms, ratio, *peaks)


def _seconds(call: Callable[[], Any], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def allocated_bytes(prepare: Prepare, device: torch.device) -> int | None:
    """Bytes of tensors at the peak less those before, the result included; None where no allocator tells.

    CUDA: the allocator's count. CPU: the allocations that the profiler saw, those within operators too; a process's
    resident memory would depend on what the C library keeps.
    """
    prepare()()  # what is allocated once and kept
    call = prepare()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return int(torch.cuda.max_memory_allocated(device) - before)
    if device.type != "cpu":
        return None
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        result = call()
    del result
    # Summaries have sums by operator; only the raw events, which have no other name, tell of the peak.
    raw: Any = profile.kineto_results
    events = sorted((event.start_ns(), event.nbytes()) for event in raw.events() if event.name() == "[memory]")
    now = peak = 0
    for _, size in events:
        now += size
        peak = max(peak, now)
    return peak
