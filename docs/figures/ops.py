"""What is made of the pages in ``docs/ops``: ``python -m docs.figures.ops`` rewrites them and draws their pictures.

Tables come from the code and from committed results, and stand between marks, ``<!-- made:NAME -->``.
"""

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmarks._tables import between, fastest, has_rival, is_headline, machine_line, number, rows_table
from lfdeblur_ops import _dispatch, _refocus_checks, testing

from .op_drawings import DRAWINGS, draw

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "ops"
RESULTS = ROOT / "benchmarks" / "results"
OPS = tuple(DRAWINGS)
CONVOLUTIONS = ("conv3x3", "conv_transpose4x4", "residual_block")
DEVICES = {"cuda": "NVIDIA GPUs", "cpu": "CPU", None: "any device"}
# Rows of docs/transforms.md that a page repeats; the others say the same of like transforms.
TRANSFORMS = (
    "`torch.func.grad`",
    "`torch.func.jvp`",
    "`vmap` over any axis of one argument",
    "gradients of each sample, `vmap(grad)`",
    "gradient of a gradient, any order",
)
LAYERS = {"dynamic_filter_separable": ("SepConv",), "refocus": ("OACC-Net, cost",)}  # others are of dynamic_filter
SOURCES = {
    "function": ("lfdeblur_ops/{op}.py",),
    "reference": ("lfdeblur_ops/reference/{op}.py",),
    "C++": ("csrc/{op}.cpp", "csrc/cpu/{op}.cpp", "csrc/cpu/kernels/{op}.cpp", "csrc/cpu/kernels/{op}_*.cpp"),
    "CUDA": ("csrc/cuda/{op}.cu", "csrc/cuda/{op}_*.cu"),
    "Triton": ("lfdeblur_ops/triton/{op}.py", "lfdeblur_ops/triton/{op}_*.py"),
    "tests": ("tests/ops/test_{op}.py", "tests/ops/test_{op}_*.py"),
    "benchmark": ("benchmarks/bench_{op}.py", "benchmarks/bench_{op}_*.py"),
}


def table(rows: Iterable[Iterable[str]], right: int = 0) -> str:
    """Rows, the first of them the head; the last ``right`` columns are numbers."""
    head, *body = ([*row] for row in rows)
    rule = ["---"] * (len(head) - right) + ["---:"] * right
    return "".join(f"| {' | '.join(row)} |\n".replace("|  |", "| |") for row in (head, rule, *body))


def backends(op: str) -> str:
    """Which back ends the op has, where they run, and the dtypes that they take."""
    dtypes = _refocus_checks._DTYPES if op == "refocus" else testing.FLOATS
    rows = [["`backend=`", "runs on", *(_name(dtype) for dtype in dtypes)]]
    for name, impl in _dispatch._IMPLS[op].items():
        rows.append([f"`{name}`", DEVICES[impl.device], *(_taken(impl, dtype) for dtype in dtypes)])
    return table(rows)


def _taken(impl: _dispatch.Impl, dtype: torch.dtype) -> str:
    with _tf32("tf32"):
        reduced = impl.unfit(dtype) is None
    with _tf32("ieee"):
        whole = impl.unfit(dtype) is None
    return "yes" if whole else "as TF32" if reduced else "no"


@contextmanager
def _tf32(precision: str) -> Iterator[None]:
    switch: Any = torch.backends.cudnn.conv
    before = switch.fp32_precision
    switch.fp32_precision = precision
    try:
        yield
    finally:
        switch.fp32_precision = before


def transforms(op: str) -> str:
    """The op's column of the table in ``docs/transforms.md``, in a few rows."""
    lines = (ROOT / "docs" / "transforms.md").read_text().splitlines()
    known = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    column = known[0].index("convolutions" if op in CONVOLUTIONS else f"`{op}`")
    ways = {row[0]: row[column] for row in known[1:] if len(row) > column}
    return table([("transform", "what runs"), *((name, ways[name]) for name in TRANSFORMS)])


def tolerances(op: str) -> str:
    """What the tests allow between the op and its float64 reference."""
    if op not in CONVOLUTIONS:
        rows = [("dtype", "relative", "absolute")]
        rows += [(_name(dtype), f"{t['rtol']:g}", f"{t['atol']:g}") for dtype, t in testing.TOL.items()]
        return table(rows, 2)
    errors = [(_name(dtype), error) for dtype, error in testing.ERROR.items()]
    if "winograd" in _dispatch._IMPLS[op]:
        errors.append(("float32, `winograd`", testing.ERROR_WINOGRAD))
    errors.append(("float32 as TF32", testing.ERROR_TF32))
    head = ("dtype", "of the sum of absolute terms", "of the root of their squares", "of the result")
    return table([head, *((name, *map(_power, error)) for name, error in errors)], 3)


def _power(share: float) -> str:
    return f"$2^{{{math.log2(share):.3g}}}$" if share else "0"


def benchmarks(op: str) -> str:
    """The op's rows of the committed results, with rivals and floors, and published layers that it replaces."""
    parts = []
    for file in ("cpu.json", "h200.json"):
        result = json.loads((RESULTS / file).read_text())
        rows = [row for row in result["rows"] if row["op"] == op and "ours" in row and is_headline(row)]
        if rows:
            parts += [machine_line(result["machine"]) + ":\n", rows_table(rows)]
    layers = json.loads((RESULTS / "users.json").read_text())
    others = {name for names in LAYERS.values() for name in names}
    mine = [row for row in layers["rows"] if row["name"] in LAYERS.get(op, ())]
    if op == "dynamic_filter":
        mine = [row for row in layers["rows"] if row["name"] not in others]
    if mine:
        parts.append(f"Published layers in plain PyTorch, times ours; {machine_line(layers['users'])}:\n")
        rows = [("layer", "size", "forward", "with backward")]
        both = ("forward", "forward+backward")
        rows += [(row["name"], row["setting"], *(f"×{number(row[mode]['times'])}" for mode in both)) for row in mine]
        parts.append(table(rows, 2))
    return "\n".join(parts)


def sources(op: str) -> str:
    """Links to the files that the op is made of."""
    lines = []
    shared = ("csrc/convolution.cpp",) if op in CONVOLUTIONS else ()
    if "winograd" in _dispatch._IMPLS[op]:
        shared += ("csrc/winograd*.cpp", "csrc/cpu/winograd.cpp", "csrc/cpu/winograd_gradient.cpp")
    for kind, patterns in SOURCES.items():
        wanted = (*patterns, *shared) if kind == "C++" else patterns
        files = {file for pattern in wanted for file in ROOT.glob(pattern.format(op=op)) if _of(op, file)}
        names = sorted(file.relative_to(ROOT).as_posix() for file in files)
        if names:
            lines.append(f"- {kind}: {', '.join(f'[{name}](../../{name})' for name in names)}\n")
    return "".join(lines)


def _of(op: str, file: Path) -> bool:
    """Not of an op whose name goes on, as ``dynamic_filter_separable``."""
    return not any(other in file.name for other in OPS if other != op and other.startswith(op))


def overview() -> str:
    """All ops: their back ends, and how they stand beside the fastest rival of each case."""
    results = {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in ("cpu", "h200")}
    rows = [["op", "back ends", *(result["machine"]["name"] for result in results.values())]]
    for op in OPS:
        names = ", ".join(f"`{name}`" for name in _dispatch._IMPLS[op])
        rows.append([f"[{op}]({op}.md)", names, *(_span(result["rows"], op) for result in results.values())])
    return table(rows, 2)


def _span(rows: list[dict[str, Any]], op: str) -> str:
    mine = [row for row in rows if row["op"] == op and "ours" in row and is_headline(row) and has_rival(row)]
    ratios = sorted(fastest(row)[1]["ratio"] for row in mine)
    if not ratios:
        return "not measured"
    return " to ".join(dict.fromkeys(f"×{number(ratio)}" for ratio in (ratios[0], ratios[-1])))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


MADE = {
    "backends": backends,
    "transforms": transforms,
    "tolerances": tolerances,
    "benchmarks": benchmarks,
    "sources": sources,
}


def updated(page: str, op: str | None) -> str:
    """A page with what is made of it made anew; ``op`` None: the index. Raises ValueError where a mark is missing."""
    made = {"overview": overview()} if op is None else {name: make(op) for name, make in MADE.items()}
    for name, text in made.items():
        page = between(page, f"made:{name}", f"\n{text}\n")
    return page


def main() -> None:
    draw(PAGES)
    for op in (None, *OPS):
        path = PAGES / f"{op or 'index'}.md"
        path.write_text(updated(path.read_text(encoding="utf-8"), op), encoding="utf-8")


if __name__ == "__main__":
    main()
