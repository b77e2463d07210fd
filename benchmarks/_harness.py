"""Cases, and how one is checked, timed and written down as a row."""

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lfdeblur_ops.testing import TOL, peak_bytes

Call = Callable[[], Any]
OURS = "ours"
FLUSH_BYTES = 2 << 30  # written before each CUDA call: more than any L2 cache, and half a millisecond of work


class Unavailable(Exception):
    """The case cannot run on this machine; the message says why."""


@dataclass
class Sides:
    """What is compared: calls without arguments that return a tensor or a sequence of tensors.

    Attributes:
        ours: this library.
        rivals: name to call.
        expected: the right result, from inputs rounded as ours are; ``part`` picks what it covers from a result.
        stages: seconds by stage of the last call of ours, where it tells them.
        anew: by name of a rival that keeps the memory it took: makes a call that has taken none.
    """

    ours: Call
    rivals: dict[str, Call]
    expected: Call
    part: Callable[[Any], Any] = lambda result: result
    stages: Callable[[], dict[str, float]] | None = None
    anew: dict[str, Callable[[], Call]] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One row of the benchmark.

    Attributes:
        op, mode, shape, dtype, device: the row's key; ``mode`` is ``forward``, ``forward+backward`` or alike.
        build: makes the data and the sides.
        moved: bytes that must be moved, each input and output once.
        operations: floating-point operations that must be done (a multiply-add is two).
        arithmetic: dtype whose measured peak, or float32's if that is higher, bounds the operations.
        series: plot and position on it, for scaling rows: ``("planes", 8)``.
        headline: it stands in the tables; rows of a series alone do not.
        threads: of torch, for the row only.
        tolerance: ``rtol`` and ``atol`` of ours against ``expected``; None: that of ``lfdeblur_ops.testing``.
    """

    op: str
    shape: str
    dtype: str
    device: str
    build: Callable[[], Sides]
    moved: int
    operations: int
    mode: str = "forward"
    arithmetic: str = "float32"
    series: tuple[str, int] | None = None
    headline: bool = False
    threads: int | None = None
    tolerance: dict[str, float] | None = field(default=None, hash=False)

    def __str__(self) -> str:
        threads = f" threads={self.threads}" if self.threads else ""
        return f"{self.op} {self.mode} {self.shape} {self.dtype} {self.device}{threads}"


def run_case(case: Case, machine: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Check, then time the sides in turn, ``seconds`` for each. Raises AssertionError on a wrong result."""
    row: dict[str, Any] = {
        "op": case.op,
        "mode": case.mode,
        "shape": case.shape,
        "dtype": case.dtype,
        "device": case.device,
        "series": list(case.series) if case.series else None,
        "headline": case.headline or case.series is None,
        "threads": case.threads or machine["threads"],
    }
    threads = torch.get_num_threads()
    if case.threads:
        torch.set_num_threads(case.threads)
    try:
        sides = case.build()
        failed = check(case, sides)
        calls = {OURS: sides.ours} | {name: call for name, call in sides.rivals.items() if name not in failed}
        peaks = {
            name: peak_bytes(sides.anew[name]() if name in sides.anew else call, case.device)
            for name, call in calls.items()
        }
        times = time_sides(calls, case.device, seconds, estimates={name: seen for name, (_, seen) in peaks.items()})
    except Unavailable as reason:
        return row | {"skipped": str(reason)}
    finally:
        torch.set_num_threads(threads)
        torch.compiler.reset()
        gc.collect()
    for name, samples in times.items():
        entry: dict[str, float | None] = {
            "ms": statistics.median(samples) * 1e3,
            "p20": _quantile(samples, 0.2),
            "p80": _quantile(samples, 0.8),
        }
        entry["peak_bytes"] = peaks[name][0]
        if name == OURS:
            row[OURS] = entry
        else:
            paired = [theirs / ours for theirs, ours in zip(samples, times[OURS], strict=False)]
            row.setdefault("rivals", {})[name] = entry | {"ratio": statistics.median(paired)}
    row.setdefault("rivals", {}).update({name: {"error": error} for name, error in failed.items()})
    if sides.stages is not None:
        seconds_of = sides.stages()
        row["stages"] = {stage: spent / sum(seconds_of.values()) for stage, spent in seconds_of.items()}
    return row | against_floor(case, machine, row[OURS]["ms"])


def check(case: Case, sides: Sides) -> dict[str, str]:
    """Compare with the expected result; returns the rivals that cannot run here, with their errors.

    Ours is held to the tests' tolerances. A rival that sums in its own dtype may round more: it is only shown to
    compute the same thing.
    """
    expected = _flat(sides.expected())
    ours = _flat(sides.part(sides.ours()))
    for got, want in zip(ours, expected, strict=True):
        torch.testing.assert_close(
            got, want.to(got.dtype), **(case.tolerance or TOL[got.dtype]), msg=_about(case, OURS)
        )
    failed: dict[str, str] = {}
    for name, call in sides.rivals.items():
        try:
            results = _flat(sides.part(call()))
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}"
            continue
        for got, want in zip(results, expected, strict=True):
            loose = 0.03 * want.abs().max().item() + 1e-6
            torch.testing.assert_close(got.double(), want.double(), rtol=0.03, atol=loose, msg=_about(case, name))
    return failed


def time_sides(
    calls: dict[str, Call], device: str, seconds: float, *, estimates: dict[str, float], least: int = 3, most: int = 50
) -> dict[str, list[float]]:
    """Seconds of each call, the sides in turn; ours goes on as long as any rival does, so ratios can be paired."""
    timer = _cuda_seconds if device == "cuda" else _cpu_seconds
    repeats = {name: max(1, math.ceil(1e-3 / estimates[name])) if device == "cpu" else 1 for name in calls}
    times: dict[str, list[float]] = {name: [] for name in calls}
    spent = dict.fromkeys(calls, 0.0)
    names = list(calls)
    while True:
        active = [n for n in names if len(times[n]) < least or (spent[n] < seconds and len(times[n]) < most)]
        if not active:
            return times
        for name in names:
            if name in active or name == OURS:
                start = time.perf_counter()
                times[name].append(timer(calls[name], repeats[name]))
                spent[name] += time.perf_counter() - start
        names = names[1:] + names[:1]  # nobody is always the first


def pytest_case(benchmark: Any, case: Case) -> None:
    """A case under pytest-benchmark: check all sides, then time ours."""
    try:
        sides = case.build()
    except Unavailable as reason:
        import pytest

        pytest.skip(str(reason))
    failed = check(case, sides)
    assert not failed
    benchmark.group = str(case)
    benchmark(sides.ours)


def differentiated(function: Callable[..., Tensor], inputs: Sequence[Tensor], grad: Tensor) -> Call:
    """A call that runs forward and backward and returns the output and the gradients of all inputs."""
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]

    def call() -> tuple[Tensor, ...]:
        with torch.enable_grad():
            out = function(*leaves)
            return out.detach(), *torch.autograd.grad(out, leaves, grad.to(out.dtype))

    return call


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The strongest plain ``torch.compile`` of fixed shapes."""
    return torch.compile(function, dynamic=False)


def _cpu_seconds(call: Call, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def _cuda_seconds(call: Call, repeats: int) -> float:
    """Time on the device between two events; the flush runs while the call is launched, which hides that time."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.empty(FLUSH_BYTES, dtype=torch.int8, device="cuda").zero_()
    begin.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1e3


def against_floor(case: Case, machine: dict[str, Any], ms: float) -> dict[str, Any]:
    """What a case moves and computes, its rates when it takes ``ms``, and the floor that ``machine``'s limits set."""
    bandwidth = max(machine["read_gb_s"], machine["copy_gb_s"])
    moving = case.moved / bandwidth / 1e6
    # Without instructions for a narrow type a machine computes faster in float32.
    peaks = machine["peak_gflop_s"]
    computing = case.operations / max(peaks[case.arithmetic], peaks["float32"]) / 1e6
    return {
        "bytes": case.moved,
        "operations": case.operations,
        "gb_s": case.moved / ms / 1e6,
        "gflop_s": case.operations / ms / 1e6,
        "arithmetic": case.arithmetic,
        "bound": "bandwidth" if moving >= computing else "arithmetic",
        "floor_ms": max(moving, computing),
        "percent_of_floor": 100 * max(moving, computing) / ms,
    }


def _quantile(samples: Iterable[float], share: float) -> float:
    ordered = sorted(samples)
    return ordered[round(share * (len(ordered) - 1))] * 1e3


def _flat(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


def _about(case: Case, side: str) -> Callable[[str], str]:
    return lambda text: f"{case}: {side} is wrong, so nothing was timed. {text}"
