"""Launch parameters of one op's CUDA kernels, tried one after the other: ``python -m benchmarks.sweep OP``.

A parameter is a line of ``csrc/cuda/OP*.cu`` or ``csrc/cuda/OP*.h`` that says which values are worth trying::

    #define LFD_TUNE_ROWS 4  // sweep: 2 4 8

inside ``#ifndef LFD_TUNE_ROWS``. Each value is compiled in with nvcc's ``-D``, the others staying at their defaults.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARAMETER = re.compile(r"^\s*#\s*define\s+(LFD_TUNE_\w+)\s+(\d+)\s*//\s*sweep:\s*([\d ]+?)\s*$", re.MULTILINE)


def parameters(op: str, folder: Path = ROOT / "csrc" / "cuda") -> dict[str, tuple[int, list[int]]]:
    """Name to default and the values to try, of an op's sources."""
    found = {}
    for source in sorted(folder.glob(f"{op}*")):
        for name, default, values in PARAMETER.findall(source.read_text()):
            found[name] = int(default), [int(value) for value in values.split()]
    return found


def variants(found: dict[str, tuple[int, list[int]]]) -> list[tuple[str, ...]]:
    """nvcc flags to build with: the defaults, then each other value alone."""
    others = [
        (f"-D{name}={value}",) for name, (default, values) in found.items() for value in values if value != default
    ]
    return [(), *others]


def build(op: str, flags: tuple[str, ...]) -> None:
    for source in (ROOT / "csrc" / "cuda").glob(f"{op}*"):
        source.touch()  # ninja does not see that the flags changed
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
    environment = os.environ | {"NVCC_APPEND_FLAGS": " ".join(flags), "LFDEBLUR_CUDA": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def measure(op: str) -> dict[str, float]:
    """Milliseconds of every row, timed in a fresh process that loads the new build."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = [
            sys.executable,
            "-m",
            "benchmarks",
            "--only",
            op,
            "--device",
            "cuda",
            "--seconds",
            "0.1",
            "--ours-only",
        ]
        subprocess.run([*command, "--json", str(file)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        rows = json.loads(file.read_text())["rows"]
    return {
        f"{row['mode']} {row['shape']} {row['dtype']} {row['series']}": row["ours"]["ms"]
        for row in rows
        if "ours" in row
    }


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("op")
    parser.add_argument("--seconds", type=float, default=480, help="start no build after this")
    options = parser.parse_args()
    found = parameters(options.op)
    if not found:
        print(f"sweep: no '#define LFD_TUNE_... // sweep: ...' in csrc/cuda/{options.op}*", file=sys.stderr)
        return 2
    end, slowest, times = time.monotonic() + options.seconds, 0.0, {}
    for flags in variants(found):
        start = time.monotonic()
        if times and start + slowest > end:
            print(f"out of time before {' '.join(flags)}")
            break
        label = " ".join(flags) or "defaults"
        try:
            build(options.op, flags)
            times[label] = measure(options.op)
        except subprocess.CalledProcessError as error:
            print(f"{label}: fails ({error})", flush=True)
            continue
        print(f"{label}: " + ", ".join(f"{ms:.3g}" for ms in times[label].values()) + " ms", flush=True)
        slowest = max(slowest, time.monotonic() - start)
    build(options.op, ())
    if not times:
        return 1
    for row in next(iter(times.values())):
        best = min(times, key=lambda label: times[label].get(row, float("inf")))
        print(f"{row}: {times[best][row]:.4g} ms with {best}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
