"""Build of the compiled extension: CPU kernels always, CUDA kernels where nvcc is found.

``lfdeblur_ops/liblfdeblur_ops.so`` has the ops, on the libtorch stable ABI and without Python, for C++ programs too;
``lfdeblur_ops._C`` is the Python module that loads it. One ninja file compiles and links both, in a build folder that
stays: what has not changed is not compiled again.

Environment:
    LFDEBLUR_EXTENSION: ``0`` leaves the extension out; nothing is compiled then.
    LFDEBLUR_CUDA: ``1`` builds the CUDA kernels and fails loudly where it cannot, ``0`` leaves them out.
    TORCH_CUDA_ARCH_LIST: CUDA architectures, default ``8.0;9.0;10.0+PTX``.
    CUDA_HOME: where the CUDA toolkit is, if nvcc is not on the PATH.
    CXX, CXXFLAGS, LDFLAGS: the C++ compiler, and flags after our own.
    MAX_JOBS: compilers at work at once.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata, util
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent.resolve()
# The oldest torch whose stable ABI the extension uses; one build serves this and every later one.
TORCH_TARGET_VERSION = "0x020b000000000000"  # 2.11
LIBRARY = "liblfdeblur_ops.so"  # beside the module
MODULE_SOURCE = "module.cpp"  # the one that knows Python
INCLUDES = ["-Icsrc", "-Icsrc/include"]
CXX_FLAGS = ["-std=c++17", "-fPIC", "-fvisibility=hidden", "-fwrapv", "-ffp-contract=fast", "-Wall", "-Wno-psabi"]
FAST = ["-O3", "-DNDEBUG"]
# build_ext --debug. Not -O0: there the kernels' vectors take minutes.
DEBUG = ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address"]
NVCC_FLAGS = [
    "-O3",
    "-std=c++17",
    "-lineinfo",
    "-Xfatbin=-compress-all",
    "--compiler-options=-fPIC,-fvisibility=hidden",
]
# Those of x86; elsewhere the baseline alone.
ISAS = ["baseline", *(["avx2", "avx512"] if platform.machine() in ("x86_64", "AMD64") else [])]


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


def cuda_release(home: Path) -> str:
    """The toolkit's version, such as 13.0."""
    said = subprocess.run([home / "bin" / "nvcc", "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split("release ")[1].split(",")[0]


def find_torch() -> tuple[Path, str]:
    """Torch's folder and version; it is not imported, which takes seconds."""
    spec = util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise SystemExit("lfdeblur_ops: no torch to build the extension with: install it, or set LFDEBLUR_EXTENSION=0")
    return Path(spec.origin).parent, metadata.version("torch")


class Build(build_ext):
    """setuptools' command, but with a ninja file of our own: torch's builder links anew each time, and wants a CUDA
    build of torch for the .cu files."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.force = True  # put the library in place whenever it was made: a debug build there may be the newer file

    def copy_extensions_to_source(self) -> None:
        super().copy_extensions_to_source()
        for ext in self.extensions:
            made = Path(self.build_lib, *ext.name.split(".")[:-1], LIBRARY)
            package = self.get_finalized_command("build_py").get_package_dir(ext.name.rpartition(".")[0])
            self.copy_file(str(made), str(Path(package, LIBRARY)))

    def build_extension(self, ext: Extension) -> None:
        torch, version = find_torch()
        print(f"lfdeblur_ops: torch {version}, CUDA kernels: {CUDA_HOME or 'no'}", file=sys.stderr)
        if CUDA_HOME is not None:
            print(f"lfdeblur_ops: CUDA architectures {ARCH_LIST}", file=sys.stderr)
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(self.build_temp).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "build.ninja").write_text(self._ninja_file(target, folder, torch, version))
        jobs = ["-j", os.environ["MAX_JOBS"]] if "MAX_JOBS" in os.environ else []
        command = [sys.executable, "-m", "ninja", "-f", str(folder / "build.ninja"), *jobs]
        if subprocess.run(command, cwd=ROOT).returncode:
            raise SystemExit("lfdeblur_ops: the extension did not compile; the compiler's message stands above")

    def _ninja_file(self, target: Path, folder: Path, torch: Path, version: str) -> str:
        flags = [*CXX_FLAGS, *(DEBUG if self.debug else FAST), *INCLUDES, *shlex.split(os.environ.get("CXXFLAGS", ""))]
        macros = [f"-DTORCH_TARGET_VERSION={TORCH_TARGET_VERSION}", f'-DLFD_TORCH_VERSION="{version}"']
        system = [torch / "include", torch / "include/torch/csrc/api/include", Path(sysconfig.get_path("include"))]
        # libtorch is kept though no strong symbol needs it: it leads to torch's CUDA library and to the weak symbol in
        # csrc/common/stream_symbol.h.
        link = [f"-L{torch / 'lib'}", "-lc10", "-ltorch_cpu", "-Wl,--exclude-libs,ALL", "-Wl,--no-as-needed", "-ltorch"]
        finish = ["-fsanitize=address"] if self.debug else ["-s"]
        finish += shlex.split(os.environ.get("LDFLAGS", ""))
        if CUDA_HOME is not None:
            macros += [
                "-DLFD_CUDA",
                f'-DLFD_CUDA_VERSION="{cuda_release(CUDA_HOME)}"',
                f'-DLFD_CUDA_ARCHS="{ARCH_LIST}"',
            ]
            system += [CUDA_HOME / "include"]
            link += [f"-L{CUDA_HOME}/lib64", f"-L{CUDA_HOME}/lib", "-lcudart_static", "-lrt", "-lpthread", "-ldl"]
        compiler = [*shlex.split(os.environ.get("CXX", "c++")), *flags]
        # The kernels see no header of torch: another torch, or LFDEBLUR_CUDA, compiles only the glue anew.
        commands = {
            "glue": ("csrc/*.cpp", [*compiler, *macros, *(f"-isystem{path}" for path in system)]),
            "cpu": ("csrc/cpu/*.cpp", compiler),
        }
        for isa in ISAS:  # csrc/cpu/kernels/begin.h reads the macros
            # Beside better ones the baseline serves processors from before 2013: it takes half as long to compile so.
            level = ["-O2"] if isa == "baseline" and len(ISAS) > 1 and not self.debug else []
            macro = [f"-DLFD_ISA={isa}", f"-DLFD_{isa.upper()}"]
            commands[isa] = ("csrc/cpu/kernels/*.cpp", [*compiler, *level, *macro])
        if CUDA_HOME is not None:
            nvcc = [f"{CUDA_HOME}/bin/nvcc", *NVCC_FLAGS, *arch_flags(ARCH_LIST), *INCLUDES]
            commands["cuda"] = ("csrc/cuda/*.cu", nvcc)
        lines: list[str] = []
        objects: dict[str, list[str]] = {LIBRARY: [], target.name: []}  # of each of the two libraries
        for rule, (pattern, command) in commands.items():
            lines += [
                *ninja_rule(rule, [*command, "-MD", "-MF", "$out.d", "-c", "$in", "-o", "$out"], f"{rule}: $in"),
                "  depfile = $out.d",
                "  deps = gcc",
            ]
            for source in sorted(path.relative_to(ROOT) for path in ROOT.glob(pattern)):
                made = ninja_path(folder / rule / f"{source.name}.o")
                objects[target.name if source.name == MODULE_SOURCE else LIBRARY].append(made)
                lines.append(f"build {made}: {rule} {source}")
        linker = [*shlex.split(os.environ.get("CXX", "c++")), "-shared", "$in", "-o", "$out"]
        library = target.with_name(LIBRARY)
        lines += ninja_rule("library", [*linker, f"-Wl,-soname,{LIBRARY}", *link, *finish], "link $out")
        lines += ninja_rule("module", [*linker, "-Wl,-rpath,$ORIGIN", *finish], "link $out")
        lines.append(f"build {ninja_path(library)}: library {' '.join(objects[LIBRARY])}")
        lines.append(f"build {ninja_path(target)}: module {' '.join(objects[target.name])} {ninja_path(library)}")
        return "\n".join([f"builddir = {ninja_path(folder)}", *lines]) + "\n"


def ninja_rule(name: str, command: list[str], description: str) -> list[str]:
    """Lines of a rule; ninja's own variables in the command stay as they are."""
    words = [word if word.startswith("$") else shlex.quote(word.replace("$", "$$")) for word in command]
    return [f"rule {name}", f"  command = {' '.join(words)}", f"  description = {description}"]


def ninja_path(path: Path) -> str:
    return re.sub(r"([$ :])", r"$\1", str(path))


def extension() -> Extension:
    sources = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("csrc/**/*.*"))  # what a source package holds
    return Extension("lfdeblur_ops._C", sources)


setup(
    packages=find_packages(include=["lfdeblur_ops*"])
    + [
        name.replace("models", "lfdeblur_models", 1)
        for name in ["models", *("models." + p for p in find_packages("models", exclude=["lfdeblur"]))]
    ]
    + ["lfdeblur"],
    package_dir={"lfdeblur_models": "models", "lfdeblur": "models/lfdeblur"},
    package_data={
        "lfdeblur_ops": ["py.typed", "*.pyi"],
        "lfdeblur_models": ["py.typed", "assets/**/*", "viewer/page/*"],
        "lfdeblur": ["py.typed"],
    },
    ext_modules=[] if os.environ.get("LFDEBLUR_EXTENSION") == "0" else [extension()],
    cmdclass={"build_ext": Build},
)
