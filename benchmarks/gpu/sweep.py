"""Launch parameters of one op's kernels, tried one after the other: ``python -m benchmarks.gpu.sweep OP``.

A parameter is a constant in ``csrc/cuda/OP*`` whose comment says which values are worth trying::

    inline constexpr int kThreads = 128;  // sweep: 64 128 256

Each value is written into the source and built, the others staying as they are; the sources are put back at the end.
An op whose kernels are Triton's is handed to ``sweep_triton``.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import sweep_triton

ROOT = Path(__file__).resolve().parents[2]
CUDA = ROOT / "csrc" / "cuda"
PARAMETER = re.compile(r"\bconstexpr int (k\w+) = (\d+);(?=[^\n]*// .*?\bsweep: ([\d ]+))")
Variant = tuple[Path, str, int]  # source, name and value of one constant


def variants(op: str, folder: Path = CUDA) -> list[Variant]:
    """Every value to try that is not the present one."""
    found = []
    for source in sorted(folder.glob(f"{op}*")):
        for name, present, values in PARAMETER.findall(source.read_text()):
            found += [(source, name, int(value)) for value in values.split() if int(value) != int(present)]
    return found


def with_value(text: str, name: str, value: int) -> str:
    """Source text with another value of one constant."""
    return re.sub(rf"(\bconstexpr int {name} = )\d+;", rf"\g<1>{value};", text)


def build(op: str) -> None:
    for source in CUDA.glob(f"{op}*"):
        source.touch()
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
    environment = os.environ | {"LFDEBLUR_CUDA": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def try_out(op: str, variant: Variant | None) -> dict[str, float]:
    """Build and measure one variant (None: the sources as they are), and put the source back."""
    if variant is None:
        build(op)
        return measure(op)
    source, name, value = variant
    text = source.read_text()
    try:
        source.write_text(with_value(text, name, value))
        build(op)
        return measure(op)
    finally:
        source.write_text(text)


def measure(op: str) -> dict[str, float]:
    """Milliseconds of every row, timed in a fresh process that loads the new build."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        options = f"--only {op} --device cuda --seconds 0.1 --ours-only --json {file}".split()
        command = [sys.executable, "-m", "benchmarks", *options]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        rows = json.loads(file.read_text())["rows"]
    return {
        f"{row['mode']} {row['shape']} {row['dtype']} {row['series']}": row["ours"]["ms"]
        for row in rows
        if "ours" in row
    }


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu.sweep", description=__doc__)
    parser.add_argument("op")
    parser.add_argument("--seconds", type=float, default=480, help="start no build after this")
    options = parser.parse_args()
    found = variants(options.op)
    if not found and sweep_triton.names(options.op):
        return sweep_triton.main(options.op, options.seconds)
    if not found:
        print(
            f"sweep: op: got {options.op!r}, want one with a constant 'sweep: ...' in csrc/cuda or a module in "
            "lfdeblur_ops/triton",
            file=sys.stderr,
        )
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # of a time limit: the source is put back all the same
    end, slowest = time.monotonic() + options.seconds, 0.0
    times: dict[str, dict[str, float]] = {}
    for variant in (None, *found):
        start = time.monotonic()
        label = "present values" if variant is None else f"{variant[1]} = {variant[2]}"
        if times and start + 2 * slowest > end:  # the build that puts everything back needs its time too
            print(f"out of time before {label}")
            break
        try:
            times[label] = try_out(options.op, variant)
        except subprocess.CalledProcessError as error:
            print(f"{label}: fails ({error})", flush=True)
            continue
        print(f"{label}: " + ", ".join(f"{ms:.3g}" for ms in times[label].values()) + " ms", flush=True)
        slowest = max(slowest, time.monotonic() - start)
    build(options.op)
    if not times:
        return 1
    for row in next(iter(times.values())):
        best = min(times, key=lambda label: times[label].get(row, float("inf")))
        print(f"{row}: {times[best][row]:.4g} ms with {best}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
