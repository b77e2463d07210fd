"""Where the CUDA toolkit is, and what to tell nvcc; setup.py asks. Needs nothing but Python."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HEADER, RUNTIME = "cuda_runtime_api.h", "libcudart_static.a"
DEFAULT_ARCHS = "8.0;9.0;10.0+PTX"
# The names of torch.utils.cpp_extension, which is not imported for it: that takes seconds.
NAMES = {
    "Maxwell": "5.0;5.2+PTX",
    "Maxwell+Tegra": "5.3",
    "Pascal": "6.0;6.1+PTX",
    "Volta": "7.0+PTX",
    "Volta+Tegra": "7.2",
    "Turing": "7.5+PTX",
    "Ampere": "8.0;8.6+PTX",
    "Ampere+Tegra": "8.7",
    "Ada": "8.9+PTX",
    "Hopper": "9.0+PTX",
    "Blackwell": "10.0;10.3;12.0;12.1+PTX",
    "Blackwell+Tegra": "11.0",
}
TEGRA = {"5.3", "6.2", "7.2", "8.7", "8.8", "11.0"}  # of boards; CMake's `Common` leaves them out too


class Toolkit(NamedTuple):
    """A CUDA toolkit: its folder, its compiler, and the folders of its headers and libraries."""

    home: Path
    nvcc: Path
    include: Path
    libraries: list[Path]


def layouts(home: Path) -> tuple[list[Path], list[Path]]:
    """Where headers and libraries may be: below the toolkit (NVIDIA, conda), or with the system's (Debian)."""
    targets = sorted(home.glob("targets/*-linux"))
    system = [home.parent.parent] if home.name == "nvidia-cuda-toolkit" else []  # /usr/lib/nvidia-cuda-toolkit
    include = [root / "include" for root in (home, *targets, *system)]
    libraries = [root / folder for root in (home, *targets, *system) for folder in ("lib64", "lib")]
    libraries += [path for root in (home, *system) for path in sorted(root.glob("lib/*-linux-gnu"))]
    return include, libraries


def missing_at(home: Path) -> str | None:
    """What keeps a folder from being a toolkit, in words; None if it is one."""
    include, libraries = layouts(home)
    if not (home / "bin/nvcc").is_file():
        return f"{home} has no bin/nvcc"
    for file, folders in ((HEADER, include), (RUNTIME, libraries)):
        if not any((folder / file).is_file() for folder in folders):
            return f"{home}/bin/nvcc is there, but {file} is not in {', '.join(map(str, folders))}"
    try:
        supported(home / "bin/nvcc")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"{home}/bin/nvcc is there, but does not run, or is older than CUDA 11: {error}"
    return None


def toolkit_at(home: Path) -> Toolkit:
    include, libraries = layouts(home)
    return Toolkit(
        home,
        home / "bin/nvcc",
        next(folder for folder in include if (folder / HEADER).is_file()),
        [folder for folder in libraries if (folder / RUNTIME).is_file()],
    )


def homes_of(nvcc: Path) -> list[Path]:
    """Toolkits that an nvcc may be of: it may be a link, or a script that runs another."""
    try:
        said = subprocess.run([nvcc, "--dryrun", "no.cu"], capture_output=True, text=True, check=False).stderr
    except OSError:  # of another machine; missing_at tells
        said = ""
    told = re.findall(r"^#\$ TOP=(.+)$", said, re.MULTILINE)
    return [nvcc.parent.parent, nvcc.resolve().parent.parent, *(Path(home).resolve() for home in told)]


def find_toolkit(
    environment: Mapping[str, str] = os.environ,
    usual: tuple[Path, ...] = (Path("/usr/local/cuda"), Path("/usr/lib/nvidia-cuda-toolkit")),
) -> tuple[Toolkit | None, str]:
    """The toolkit to build with; or None, and why in words: nothing found, or a compiler without its headers.

    A folder named by CUDA_HOME, or by CUDA_PATH, is taken before any other; SystemExit if no toolkit is there.
    """
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if given := environment.get(variable):
            if said := missing_at(Path(given)):
                raise SystemExit(f"{variable}={given}: no CUDA toolkit there: {said}")
            return toolkit_at(Path(given)), ""
    nvcc = shutil.which("nvcc", path=environment.get("PATH"))
    homes = [*(homes_of(Path(nvcc)) if nvcc else []), *usual]
    reasons = [missing_at(home) for home in homes]
    for home, reason in zip(homes, reasons, strict=True):
        if reason is None:
            return toolkit_at(home), ""
    half = [reason for reason in reasons if reason and "is there, but" in reason]
    if half:
        return None, half[0]
    return None, f"nvcc {nvcc} is of no toolkit that is known" if nvcc else ""


def supported(nvcc: Path) -> list[str]:
    """The architectures that an nvcc compiles for, such as 9.0."""
    said = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, check=True)
    return [f"{number[:-1]}.{number[-1]}" for number in re.findall(r"compute_(\d+)", said.stdout)]


def architectures(wanted: str, nvcc: Path) -> list[str]:
    """The entries of TORCH_CUDA_ARCH_LIST as numbers, such as 9.0 or 10.0+PTX, each once, names resolved.

    Without a list: the default's that this nvcc knows, the last one with PTX.
    """
    if not wanted:
        known = set(supported(nvcc))
        numbers = [arch for arch in DEFAULT_ARCHS.replace("+PTX", "").split(";") if arch in known]
        if not numbers:
            raise SystemExit(f"{nvcc} compiles for none of {DEFAULT_ARCHS}: set TORCH_CUDA_ARCH_LIST")
        return [*numbers[:-1], f"{numbers[-1]}+PTX"]
    found: list[str] = []
    for entry in re.split(r"[;,\s]+", wanted.strip("; ,")):
        if entry in ("All", "Common"):
            numbers = [arch for arch in supported(nvcc) if entry == "All" or arch not in TEGRA]
            found += [*numbers[:-1], f"{numbers[-1]}+PTX"]
        elif entry in NAMES:
            found += NAMES[entry].split(";")
        elif re.fullmatch(r"\d+\.\d[af]?(\+PTX)?", entry):
            found.append(entry)
        else:
            names = ", ".join([*NAMES, "Common", "All"])
            raise SystemExit(f"TORCH_CUDA_ARCH_LIST: got {entry!r}, want numbers like 9.0 or 10.0+PTX, or {names}")
    return list(dict.fromkeys(found))


def arch_flags(archs: list[str]) -> list[str]:
    """nvcc's flags for architectures as numbers."""
    flags = []
    for arch in archs:
        number = arch.removesuffix("+PTX").replace(".", "")
        flags.append(f"-gencode=arch=compute_{number},code=sm_{number}")
        if arch.endswith("+PTX"):
            flags.append(f"-gencode=arch=compute_{number},code=compute_{number}")
    return flags


def release(nvcc: Path) -> str:
    """The toolkit's version, such as 13.0."""
    said = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split("release ")[1].split(",")[0]
