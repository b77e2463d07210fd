"""Build of the extension ``lfdeblur_ops._C``: CPU kernels always, CUDA kernels where nvcc is found.

Environment:
    LFDEBLUR_CUDA: ``1`` builds the CUDA kernels and fails loudly where it cannot, ``0`` leaves them out.
    TORCH_CUDA_ARCH_LIST: CUDA architectures, default ``8.0;9.0;10.0+PTX``.
    CUDA_HOME: where the CUDA toolkit is, if nvcc is not on the PATH.
    MAX_JOBS: compilers at work at once.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from setuptools import find_packages, setup
from torch.utils.cpp_extension import BuildExtension, CppExtension

ROOT = Path(__file__).parent.resolve()
# The oldest torch whose stable ABI the extension uses; one build serves this and every later one.
TORCH_TARGET_VERSION = "0x020b000000000000"  # 2.11
INCLUDES = ["csrc", "csrc/include"]
CXX_FLAGS = ["-O3", "-std=c++17", "-fvisibility=hidden", "-ffp-contract=fast", "-Wall", "-Wno-psabi"]
NVCC_FLAGS = [
    "-O3",
    "-std=c++17",
    "-lineinfo",
    "-Xfatbin=-compress-all",
    "--compiler-options=-fPIC,-fvisibility=hidden",
]


def find_cuda_home() -> Path | None:
    """The CUDA toolkit's folder, or None."""
    nvcc = shutil.which("nvcc")
    beside_nvcc = Path(nvcc).resolve().parent.parent if nvcc else None
    for candidate in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), beside_nvcc, "/usr/local/cuda"):
        if candidate and all((Path(candidate) / file).is_file() for file in ("bin/nvcc", "include/cuda_runtime_api.h")):
            return Path(candidate)
    return None


def arch_flags(arch_list: str) -> list[str]:
    """nvcc's flags for a list like ``8.0;9.0;10.0+PTX``."""
    flags = []
    for arch in arch_list.replace(" ", ";").split(";"):
        number = arch.removesuffix("+PTX").replace(".", "")
        if not number.rstrip("af").isdigit():
            raise SystemExit(f"TORCH_CUDA_ARCH_LIST: got {arch!r}, want numbers like 9.0 or 10.0+PTX")
        flags.append(f"-gencode=arch=compute_{number},code=sm_{number}")
        if arch.endswith("+PTX"):
            flags.append(f"-gencode=arch=compute_{number},code=compute_{number}")
    return flags


def wants_cuda() -> Path | None:
    """The toolkit to build the CUDA kernels with, or None for a CPU build."""
    setting = os.environ.get("LFDEBLUR_CUDA", "")
    if setting not in ("", "0", "1"):
        raise SystemExit(f"LFDEBLUR_CUDA: got {setting!r}, want 0 or 1")
    home = None if setting == "0" else find_cuda_home()
    if setting == "1" and home is None:
        raise SystemExit("LFDEBLUR_CUDA=1, but nvcc is not on the PATH, nor below CUDA_HOME or /usr/local/cuda")
    return home


CUDA_HOME = wants_cuda()
ARCH_LIST = os.environ.get("TORCH_CUDA_ARCH_LIST") or "8.0;9.0;10.0+PTX"


class Build(BuildExtension):
    """torch's builder for the C++; ninja and nvcc for the .cu files, which need no CUDA build of torch."""

    def build_extensions(self) -> None:
        print(f"lfdeblur_ops: torch {torch.__version__}, CUDA kernels: {CUDA_HOME or 'no'}", file=sys.stderr)
        if CUDA_HOME is not None:
            print(f"lfdeblur_ops: CUDA architectures {ARCH_LIST}", file=sys.stderr)
            self.extensions[0].extra_objects = self._compile_cuda()
        super().build_extensions()

    def _compile_cuda(self) -> list[str]:
        build = Path(self.build_temp).resolve() / "cuda"
        build.mkdir(parents=True, exist_ok=True)
        flags = [*NVCC_FLAGS, *arch_flags(ARCH_LIST), *(f"-I{ROOT / folder}" for folder in INCLUDES)]
        lines = [
            "rule nvcc",
            f"  command = {CUDA_HOME}/bin/nvcc {' '.join(flags)} -MD -MF $out.d -c $in -o $out",
            "  depfile = $out.d",
            "  deps = gcc",
        ]
        objects = []
        for source in sorted((ROOT / "csrc" / "cuda").glob("*.cu")):
            objects.append(str(build / f"{source.stem}.o"))
            lines.append(f"build {objects[-1]}: nvcc {source}")
        (build / "build.ninja").write_text("\n".join(lines) + "\n")
        jobs = ["-j", os.environ["MAX_JOBS"]] if "MAX_JOBS" in os.environ else []
        subprocess.run([sys.executable, "-m", "ninja", "-C", str(build), *jobs], check=True)
        return objects


def extension() -> CppExtension:
    macros = [("TORCH_TARGET_VERSION", TORCH_TARGET_VERSION), ("LFD_TORCH_VERSION", f'"{torch.__version__}"')]
    # libtorch is named again, to be kept though no strong symbol needs it: it leads to torch's CUDA library and to the
    # weak symbol in csrc/common/stream_symbol.h.
    libraries, link = [], ["-Wl,--exclude-libs,ALL", "-s", "-Wl,--no-as-needed", "-ltorch"]
    if CUDA_HOME is not None:
        version = subprocess.run([CUDA_HOME / "bin" / "nvcc", "--version"], capture_output=True, text=True, check=True)
        release = version.stdout.split("release ")[1].split(",")[0]
        macros += [("LFD_CUDA", "1"), ("LFD_CUDA_VERSION", f'"{release}"'), ("LFD_CUDA_ARCHS", f'"{ARCH_LIST}"')]
        libraries = ["cudart_static", "rt", "pthread", "dl"]
        link += [f"-L{CUDA_HOME}/lib64", f"-L{CUDA_HOME}/lib"]
    sources = [str(path.relative_to(ROOT)) for path in sorted([*ROOT.glob("csrc/*.cpp"), *ROOT.glob("csrc/cpu/*.cpp")])]
    return CppExtension(
        "lfdeblur_ops._C",
        sources,
        include_dirs=[str(ROOT / folder) for folder in INCLUDES]
        + ([str(CUDA_HOME / "include")] if CUDA_HOME is not None else []),
        define_macros=macros,
        extra_compile_args={"cxx": CXX_FLAGS},
        extra_link_args=link,
        libraries=libraries,
        depends=[str(path) for path in ROOT.glob("csrc/**/*.h")],
    )


setup(
    packages=find_packages(include=["lfdeblur_ops*"])
    + [
        name.replace("models", "lfdeblur_models", 1)
        for name in ["models", *("models." + p for p in find_packages("models"))]
    ],
    package_dir={"lfdeblur_models": "models"},
    package_data={"lfdeblur_ops": ["py.typed", "*.pyi"], "lfdeblur_models": ["py.typed", "assets/**/*"]},
    ext_modules=[extension()],
    cmdclass={"build_ext": Build},
)
