"""Command of the benchmark suite.

``python -m benchmarks [--full] [--only OP] [--match TEXT] [--device cpu|cuda] [--json FILE]`` runs it;
``python -m benchmarks compare A B`` compares two results;
``python -m benchmarks floors --name NAME --gb-s N --gflop-s float32=N ... --json FILE`` writes what each CUDA case must
take at least on a GPU of these rates, by arithmetic, with no GPU at hand;
``python -m benchmarks report JSON... --out DIR`` writes tables and plots;
``python -m benchmarks readme`` rewrites README's tables from ``benchmarks/results``.
"""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from . import _machine, _report, _tables
from ._harness import Case, Sides, against_floor, run_case

MODULES = (
    "dynamic_filter",
    "dynamic_filter_separable",
    "refocus",
    "refocus_map",
    "refocus_options",
    "pairs",
    "conv3x3",
    "conv_transpose4x4",
    "residual_block",
    "drb_head",
    "drbnet",
    "training_step",
    "generate",  # last: it changes how the process keeps memory
)
SECONDS = {False: 0.4, True: 2.0}  # for each side of a case, quick and full


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments.insert(0, "run")
    options = _parser().parse_args(arguments)
    return options.action(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    actions = parser.add_subparsers(required=True)
    run = actions.add_parser("run", help="run the suite (the default action)")
    run.add_argument("--full", action="store_true", help="every case and rival; else the headline ones")
    run.add_argument(
        "--only", choices=MODULES, action="append", metavar="OP", help=f"one of {', '.join(MODULES)}; repeatable"
    )
    run.add_argument("--match", default="", metavar="TEXT", help="only cases whose line has this text, as 720x1280")
    run.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    run.add_argument("--seconds", type=float, help="time for each side of a case")
    run.add_argument("--ours-only", action="store_true", help="leave the rivals out")
    run.add_argument(
        "--without", action="append", default=[], metavar="TEXT", help="leave out rivals of such names, as compile"
    )
    run.add_argument("--json", type=Path, metavar="FILE", help="write the result here")
    run.set_defaults(action=_run)
    compare = actions.add_parser("compare", help="compare two results")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    compare.set_defaults(action=_compare)
    floors = actions.add_parser("floors", help="least times of the CUDA cases on a GPU of given rates")
    floors.add_argument("--name", required=True, help="of the GPU")
    floors.add_argument("--gb-s", type=float, required=True, help="its memory bandwidth")
    floors.add_argument(
        "--gflop-s", type=_rate, nargs="+", required=True, metavar="DTYPE=N", help="its peak rates, as float32=67000"
    )
    floors.add_argument("--json", type=Path, required=True, metavar="FILE")
    floors.set_defaults(action=_floors)
    report = actions.add_parser("report", help="tables and plots of results")
    report.add_argument("results", type=Path, nargs="+")
    report.add_argument("--out", type=Path, required=True, metavar="DIR")
    report.set_defaults(action=_write_report)
    readme = actions.add_parser("readme", help="rewrite README's tables from benchmarks/results")
    readme.add_argument("--readme", type=Path, default=_machine.ROOT / "README.md")
    readme.add_argument("--results", type=Path, default=_machine.ROOT / "benchmarks" / "results")
    readme.set_defaults(action=_readme)
    return parser


def _run(options: argparse.Namespace) -> int:
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"  # rows of float32 are float32, as matrix products already are
    try:
        return _measure(options)
    finally:  # a process that goes on, as the tests' does, could not export a program otherwise
        convolutions.fp32_precision = before


def _measure(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    machine = _machine.describe(options.device)
    print(_tables.machine_line(machine), flush=True)
    skipped: dict[str, str] = {}
    result: dict[str, Any] = {"machine": machine, "full": options.full, "rows": [], "skipped": skipped}
    seconds = options.seconds or SECONDS[options.full]
    wrong = 0
    for case in _cases(options.only or MODULES, options.device, options.full, skipped):
        if options.match not in str(case):
            continue
        if options.ours_only or options.without:
            case = replace(case, build=partial(_without_rivals, case, [""] if options.ours_only else options.without))
        print(f"{case} ...", flush=True)
        try:
            row = run_case(case, machine, seconds)
        except Exception as error:  # the other rows are worth having all the same
            wrong += 1
            is_wrong = isinstance(error, AssertionError)
            print(error if is_wrong else f"{case}: fails with {type(error).__name__}: {error}", file=sys.stderr)
            continue
        result["rows"].append(row)
        print(_tables.text_row(row), flush=True)
        _write(result, options.json)
    for module, reason in skipped.items():
        print(f"skipped {module}: {reason}")
    _write(result, options.json)
    print(f"{len(result['rows'])} rows, {wrong} wrong or failed, {time.perf_counter() - started:.0f} s")
    return 1 if wrong else 0


def _rate(text: str) -> tuple[str, float]:
    dtype, _, rate = text.partition("=")
    return dtype, float(rate)


def _floors(options: argparse.Namespace) -> int:
    machine = {"read_gb_s": options.gb_s, "copy_gb_s": options.gb_s, "peak_gflop_s": dict(options.gflop_s)}
    rows: list[dict[str, Any]] = []
    for case in _cases(MODULES, "cuda", True, {}):
        facts = against_floor(case, machine, 1.0)
        kept = ("bytes", "operations", "arithmetic", "bound", "floor_ms")
        key = {name: getattr(case, name) for name in ("op", "mode", "shape", "dtype")}
        if case.device == "cuda" and key not in [{name: row[name] for name in key} for row in rows]:
            rows.append(key | {name: facts[name] for name in kept})
    _write({"floors": {"name": options.name, **machine}, "rows": rows}, options.json)
    return 0


def _without_rivals(case: Case, texts: Sequence[str]) -> Sides:
    sides = case.build()
    kept = {name: call for name, call in sides.rivals.items() if not any(text in name for text in texts)}
    return replace(sides, rivals=kept)


def _cases(modules: Sequence[str], device: str, full: bool, skipped: dict[str, str]) -> Iterator[Case]:
    for name in modules:
        try:
            module = importlib.import_module(f"benchmarks.bench_{name}")
        except ImportError as error:  # the optional packages a GPU machine may lack
            skipped[name] = str(error)
            continue
        yield from module.cases(device, full)


def _write(result: dict[str, Any], path: Path | None) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial_file = path.with_name(path.name + ".partial")
        partial_file.write_text(json.dumps(result, indent=1) + "\n")
        partial_file.replace(path)


def _compare(options: argparse.Namespace) -> int:
    print(_tables.compare(_read(options.before), _read(options.after)))
    return 0


def _write_report(options: argparse.Namespace) -> int:
    from ._plots import plot

    options.out.mkdir(parents=True, exist_ok=True)
    sections = []
    for path in options.results:
        result = _read(path)
        pictures = plot(result, options.out, path.stem) if "machine" in result else []
        sections.append((result, path.name, pictures))
    for name, text in _report.pages(sections).items():
        (options.out / name).write_text(text)
        print(options.out / name)
    return 0


def _readme(options: argparse.Namespace) -> int:
    results = [result for path in sorted(options.results.glob("*.json")) if "machine" in (result := _read(path))]
    options.readme.write_text(_tables.update_readme(options.readme.read_text(), results))
    return 0


def _read(path: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_text())
        if not {"rows", "kernels", "layers"} & set(result):
            raise ValueError("want a result that --json wrote")
    except (OSError, ValueError, TypeError) as error:
        print(f"benchmarks: {path}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    return result


if __name__ == "__main__":
    sys.exit(main())
