"""`make check-wheels`: each wheel in a fresh environment of its Python, with several torches: ops' tests, and demo.

The tests run from a folder that has them and no source: what they import is what was installed.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from email import message_from_bytes
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from packaging.requirements import Requirement
from pythons import HERE, PYTHONS, ROOT, interpreter

TORCHES = ["2.11.0", "2.13.0", "newest"]  # of what there is for the Python
# Every op against its reference on every back end, its errors, its registration, its gradients; without what compiles.
FILES = ["backends", "package", "library", "dynamic_filter", "dynamic_filter_separable", "refocus", "drb_head"]
FILES += ["conv3x3", "conv_transpose4x4", "residual_block", "row_layers", "modules"]
SELECTION = "not compile and not inductor"
FEW = "cpu and matches and float32"
FACTS = "import json, lfdeblur_ops; print(json.dumps(lfdeblur_ops.build_info()))"


def requirements(wheel: Path) -> list[Requirement]:
    """What a wheel depends on, without its extras."""
    with ZipFile(wheel) as archive:
        (facts,) = (name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        lines = message_from_bytes(archive.read(facts)).get_all("Requires-Dist", [])
    return [each for each in map(Requirement, lines) if "extra" not in str(each.marker)]


def install(python: Path, wheel: Path, torch: str, options: argparse.Namespace) -> None:
    """The wheel and its torch; with ``--libraries`` without the gigabytes of NVIDIA's, which stand in that folder."""
    pip = [python, "-I", "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    find = ["--find-links", options.torch_wheels] if options.torch_wheels else []
    tests = ["pytest", "pytest-timeout", "pytest-benchmark", "pytest-xdist", "scikit-image", "setuptools"]
    wanted_torch = "torch" if torch == "newest" else f"torch=={torch}"
    if options.libraries is None:
        run([*pip, *find, wanted_torch, wheel, *tests])
        return
    run([*pip, *find, "--no-deps", wanted_torch, wheel])
    site = next(python.parent.parent.glob("lib/python*/site-packages"))
    wanted = [each for each in requirements(wheel) if each.name != "torch"]
    for line in message_from_bytes(next(site.glob("torch-*.dist-info/METADATA")).read_bytes()).get_all(
        "Requires-Dist", []
    ):
        each = Requirement(line)
        if "extra" not in str(each.marker) and not re.match(r"nvidia|cuda|triton", each.name):
            wanted.append(each)
    run([*pip, *map(str, wanted), *tests])
    for name in ("nvidia", "cuda"):
        if (options.libraries / name).is_dir():
            (site / name).symlink_to(options.libraries / name)


def run(command: list[Any], **settings: Any) -> str:
    """What a command prints; SystemExit with all of it if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **settings)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def check(wheel: Path, version: str, torch: str, options: argparse.Namespace) -> dict[str, Any]:
    """One line of the table."""
    folder = ROOT / "build/check" / f"{version}-{torch}"
    shutil.rmtree(folder, ignore_errors=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"MKL_VERBOSE": "0"}
    began, row = time.monotonic(), {"python": version, "torch": torch, "wheel": wheel.name}
    try:
        run([interpreter(version), "-m", "venv", folder / "env"])
        python = folder / "env/bin/python"
        install(python, wheel, torch, options)
        row["install_s"] = round(time.monotonic() - began)
        place = folder / "place"
        shutil.copytree(ROOT / "tests", place / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", place)
        facts = json.loads(run([python, "-W", "error::RuntimeWarning", "-c", FACTS], cwd=place, env=environment))
        row |= {name: facts[name] for name in ("torch_running", "torch_built", "cuda_architectures")}
        if facts["extension"] is not True or str(folder) not in facts["library"]:
            raise SystemExit(f"not the installed extension: {facts}")
        began = time.monotonic()
        said = run([python.with_name("lfdeblur"), "demo", "--out", "demo"], cwd=place, env=environment)
        if not (place / "demo/demo.png").is_file():
            raise SystemExit(f"demo wrote no picture\n{said}")
        row["demo_s"], began = round(time.monotonic() - began), time.monotonic()
        chosen = [f"tests/ops/test_{name}.py" for name in FILES]
        words = FEW if options.few else SELECTION
        tests = [
            python,
            "-m",
            "pytest",
            "-q",
            "-n",
            "0",
            "-p",
            "no:cacheprovider",
            "-m",
            "not slow",
            "-k",
            words,
            *chosen,
        ]
        row["tests"] = run(tests, cwd=place, env=environment).strip().splitlines()[-1].strip("= ")
        row |= {"tests_s": round(time.monotonic() - began), "passed": True}
    except SystemExit as failure:
        row |= {"passed": False, "failure": str(failure)[-4000:]}
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    lines = ["| Python | torch | result | tests of the ops | demo |", "| --- | --- | --- | --- | ---: |"]
    for row in rows:
        result = "passed" if row["passed"] else "FAILED"
        running = row.get("torch_running", row["torch"])
        lines.append(f"| {row['python']} | {running} | {result} | {row.get('tests', '')} | {row.get('demo_s', '')} s |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, help="versions such as 3.12, or here")
    parser.add_argument("--torches", nargs="+", default=TORCHES)
    parser.add_argument("--wheels", type=Path, default=ROOT / "dist", help="folder of the wheels")
    parser.add_argument("--few", action="store_true", help="only the forwards of the CPU kernels: a minute")
    parser.add_argument("--keep", action="store_true", help="leave the environments in build/check")
    parser.add_argument("--json", type=Path, help="file of results; those of other Pythons and torches in it stay")
    parser.add_argument("--torch-wheels", type=Path, help="folder where pip looks for torch too")
    parser.add_argument("--libraries", type=Path, help="site-packages whose NVIDIA libraries every torch is lent")
    options = parser.parse_args()
    rows = []
    for version in (HERE if python == "here" else python for python in options.pythons):
        (wheel,) = options.wheels.glob(f"lfdeblur-*-cp{version.replace('.', '')}-*{platform.machine()}.whl")
        for torch in options.torches:
            rows.append(check(wheel, version, torch, options))
            print(table(rows[-1:]).splitlines()[-1], flush=True)
            if not rows[-1]["passed"]:
                print(rows[-1]["failure"], file=sys.stderr)
            if options.json:
                keep(rows, options.json)
    print("\n" + table(rows))
    if not all(row["passed"] for row in rows):
        raise SystemExit(1)


def keep(rows: list[dict[str, Any]], file: Path) -> None:
    new = {(row["python"], row["torch"]) for row in rows}
    old = json.loads(file.read_text()) if file.is_file() else []
    kept = [row for row in old if (row["python"], row["torch"]) not in new]
    both = sorted(kept + rows, key=lambda row: (int(row["python"].split(".")[1]), row["torch"]))
    file.write_text(json.dumps(both, indent=1) + "\n")


if __name__ == "__main__":
    main()
