"""Launch parameters of one op's Triton kernels, tried one after the other in this process, for ``sweep``.

They stand in the tables ``CONFIGS``, ``..._CONFIGS`` of ``lfdeblur_ops/triton/OP*.py``. Of an entry that a row of the
benchmark uses, each number is halved and doubled, stages one less and one more, the others staying as they are.
"""

import importlib
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lfdeblur_ops.testing import TOL

from .._harness import OURS, time_sides

FOLDER = Path(__file__).resolve().parents[2] / "lfdeblur_ops" / "triton"
# Least and most that is worth trying; a product needs blocks of 16.
RANGES = {"num_stages": (1, 6), "num_warps": (1, 16), "programs": (1, 16)}
TILE, BLOCK = (1, 64), (16, 256)


class Table(dict):
    """A table of launch parameters that remembers which entries were read."""

    def __init__(self, name: str, entries: dict[Any, Any]) -> None:
        super().__init__(entries)
        self.name = name
        self.read: set[Any] = set()

    def __getitem__(self, key: Any) -> Any:
        self.read.add(key)
        return super().__getitem__(key)


class Row(NamedTuple):
    name: str
    call: Callable[[], Any]


def names(op: str, folder: Path = FOLDER) -> list[str]:
    """Modules of an op, as ``conv3x3``, ``drb_head_backward``."""
    return [name for name in (op, f"{op}_backward") if (folder / f"{name}.py").is_file()]


def tables(modules: list[Any]) -> list[Table]:
    """The modules' tables, put in place of what stood there."""
    found = []
    for module in modules:
        for name, value in list(vars(module).items()):
            if name.endswith("CONFIGS") and isinstance(value, dict):
                table = Table(f"{module.__name__.rsplit('.', 1)[-1]}.{name}", value)
                setattr(module, name, table)
                found.append(table)
    return found


def variants(entry: Any) -> Iterator[Any]:
    """Entries that differ from ``entry`` in one number."""
    for field, value in entry._asdict().items():
        least, most = RANGES.get(field, TILE if field.startswith("tile") else BLOCK)
        near = (value - 1, value + 1) if field == "num_stages" else (value // 2, value * 2)
        for other in near:
            if value and least <= other <= most:
                yield entry._replace(**{field: other})


def sweep(rows: list[Row], found: list[Table], measure: Callable[[Row], float], end: float) -> None:
    """Print milliseconds of each row with the present entries and with each variant, then the best of each row."""
    used: dict[tuple[str, Any], list[Row]] = {}
    times: dict[str, dict[str, float]] = {}
    for row in rows:
        for table in found:
            table.read.clear()
        times[row.name] = {"present values": measure(row)}
        for table in found:
            for key in table.read:
                used.setdefault((table.name, key), []).append(row)
    by_name = {table.name: table for table in found}
    for (name, key), affected in used.items():
        table = by_name[name]
        present = dict.__getitem__(table, key)
        for variant in variants(present):
            label = f"{name}[{key!r}] = {tuple(variant)}"
            if time.monotonic() > end:
                print(f"out of time before {label}")
                break
            table[key] = variant
            try:
                results = {row.name: measure(row) for row in affected}
            except Exception as error:  # too much shared memory, or a shape that does not compile
                print(f"{label}: fails ({type(error).__name__})", flush=True)
                continue
            finally:
                table[key] = present
            for row_name, ms in results.items():
                times[row_name][label] = ms
            print(f"{label}: " + ", ".join(f"{ms:.4g}" for ms in results.values()) + " ms", flush=True)
    for row_name, measured in times.items():
        best = min(measured, key=lambda label: measured[label])
        print(f"{row_name}: {measured['present values']:.4g} ms, {measured[best]:.4g} ms with {best}")


def milliseconds(row: Row, expected: dict[str, Any]) -> float:
    """Median time on the device; a result that differs from the first one's is an error."""
    result = row.call()
    wanted = expected.setdefault(row.name, result)
    for got, want in zip(*([x] if isinstance(x, torch.Tensor) else list(x) for x in (result, wanted)), strict=True):
        torch.testing.assert_close(got, want, **TOL[got.dtype])
    return statistics.median(time_sides({OURS: row.call}, "cuda", 0.1, estimates={OURS: 0.0})[OURS]) * 1e3


def main(op: str, seconds: float) -> int:
    end = time.monotonic() + seconds
    bench = importlib.import_module(f"benchmarks.bench_{op}")
    found = tables([importlib.import_module(f"lfdeblur_ops.triton.{name}") for name in names(op)])
    rows = [
        Row(f"{case.mode} {case.shape} {case.dtype}", case.build().ours)
        for case in bench.cases("cuda", False)
        if case.device == "cuda"
    ]
    expected: dict[str, Any] = {}
    sweep(rows, found, lambda row: milliseconds(row, expected), end)
    return 0
