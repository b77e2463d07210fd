"""Build of the compiled extension: CPU kernels where a C++ compiler is, CUDA kernels where nvcc is.

``lfdeblur_ops/liblfdeblur_ops.so`` has the ops, on the libtorch stable ABI and without Python, for C++ programs too;
``lfdeblur_ops._C`` is the Python module that loads it. One ninja file compiles and links both, in a build folder that
stays: what has not changed is not compiled again.

Environment (docs/installing.md tells more):
    LFDEBLUR_EXTENSION: ``0`` leaves the extension out; ``1`` makes a missing compiler an error.
    LFDEBLUR_CUDA: ``1`` builds the CUDA kernels and fails loudly where it cannot, ``0`` leaves them out.
    TORCH_CUDA_ARCH_LIST: CUDA architectures, numbers or names; default ``8.0;9.0;10.0+PTX``.
    CUDA_HOME: where the CUDA toolkit is; taken before any other.
    CXX, CXXFLAGS, LDFLAGS: the C++ compiler, and flags after our own.
    MAX_JOBS: compilers at work at once.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from importlib import metadata, util
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent.resolve()
sys.path.insert(0, str(ROOT / "csrc/packaging"))  # an isolated build does not have this folder on its path
from cuda_toolkit import Toolkit, arch_flags, architectures, find_toolkit, release  # noqa: E402
from description import for_index  # noqa: E402

# The oldest torch whose stable ABI the extension uses; one build serves this and every later one.
TORCH_TARGET_VERSION = "0x020b000000000000"  # 2.11
LIBRARY = "liblfdeblur_ops.so"  # beside the module
MODULE_SOURCE = "csrc/module.cpp"  # the one that knows Python
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
ISAS = ["baseline", *(["avx2", "avx512"] if sysconfig.get_platform().endswith("x86_64") else [])]


def say(text: str) -> None:
    print(f"lfdeblur: {text}", file=sys.stderr, flush=True)


def setting(name: str) -> str:
    """LFDEBLUR_EXTENSION or LFDEBLUR_CUDA: 0, 1 or empty."""
    value = os.environ.get(name, "")
    if value not in ("", "0", "1"):
        raise SystemExit(f"{name}: got {value!r}, want 0 or 1")
    return value


def find_compiler() -> list[str] | None:
    """The command of the C++ compiler, or None; $CXX is taken before any other."""
    if given := shlex.split(os.environ.get("CXX", "")):
        if shutil.which(given[0]) is None:
            raise SystemExit(f"CXX={os.environ['CXX']}: there is no {given[0]}")
        return given
    return next(([name] for name in ("c++", "g++", "clang++") if shutil.which(name)), None)


def wants_extension() -> bool:
    wanted = setting("LFDEBLUR_EXTENSION")
    if wanted == "0" or find_compiler() is not None:
        return wanted != "0"
    without = "no C++ compiler: neither c++, g++ nor clang++ is on the PATH, and CXX names none"
    if wanted == "1" or setting("LFDEBLUR_CUDA") == "1":
        raise SystemExit(f"lfdeblur: {without}")
    if not {"egg_info", "dist_info", "sdist"} & set(sys.argv):  # pip asks for those first: one warning is enough
        say(f"WARNING: {without}. Nothing is compiled: every op will run on its slower PyTorch reference.")
    return False


@cache
def wants_cuda() -> Toolkit | None:
    """The toolkit to build the CUDA kernels with, or None for a CPU build."""
    wanted = setting("LFDEBLUR_CUDA")
    if wanted == "0":
        return None
    toolkit, why = find_toolkit()
    if toolkit is None and wanted == "1":
        raise SystemExit(
            "LFDEBLUR_CUDA=1, but " + (why or "nvcc is not on the PATH, nor below CUDA_HOME or /usr/local/cuda")
        )
    if why:
        say(f"WARNING: the CUDA kernels are left out: {why}")
    return toolkit


@cache
def archs() -> list[str]:
    toolkit = wants_cuda()
    return architectures(os.environ.get("TORCH_CUDA_ARCH_LIST", "").strip(), toolkit.nvcc) if toolkit else []


def find_torch() -> tuple[Path, str]:
    """Torch's folder and version; it is not imported, which takes seconds."""
    spec = util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise SystemExit("lfdeblur: no torch to build the extension with: install it, or set LFDEBLUR_EXTENSION=0")
    return Path(spec.origin).parent, metadata.version("torch")


def nvcc_command(toolkit: Toolkit) -> list[str]:
    """nvcc with its flags, and with the C++ compiler that is to compile the rest, if one is named."""
    given = shlex.split(os.environ.get("CXX", ""))
    told = "NVCC_CCBIN" in os.environ or "-ccbin" in os.environ.get("NVCC_PREPEND_FLAGS", "")  # conda's does so
    compiler = [f"-ccbin={given[0]}"] if len(given) == 1 and not told else []
    return [str(toolkit.nvcc), *compiler, *NVCC_FLAGS, *arch_flags(archs()), *INCLUDES]


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
        toolkit = wants_cuda()
        say(f"torch {version}, CUDA kernels: {f'{toolkit.home}, for ' + ';'.join(archs()) if toolkit else 'no'}")
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(self.build_temp).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "build.ninja").write_text(self._ninja_file(target, folder, torch, version))
        jobs = ["-j", os.environ["MAX_JOBS"]] if "MAX_JOBS" in os.environ else []
        command = [sys.executable, "-m", "ninja", "-f", str(folder / "build.ninja"), *jobs]
        say("compiling what has changed; all of it takes minutes")
        environment = {"NINJA_STATUS": "[%f/%t, %es] "} | os.environ
        if subprocess.run(command, cwd=ROOT, env=environment).returncode:
            raise SystemExit("lfdeblur: the extension did not compile; the compiler's message stands above")

    def _ninja_file(self, target: Path, folder: Path, torch: Path, version: str) -> str:
        toolkit = wants_cuda()
        flags = [*CXX_FLAGS, *(DEBUG if self.debug else FAST), *INCLUDES, *shlex.split(os.environ.get("CXXFLAGS", ""))]
        macros = [f"-DTORCH_TARGET_VERSION={TORCH_TARGET_VERSION}"]
        facts = [f'-DLFD_TORCH_VERSION="{version}"']
        system = [torch / "include", torch / "include/torch/csrc/api/include"]
        # libtorch is kept though no strong symbol needs it: it leads to torch's CUDA library and to the weak symbol in
        # csrc/common/stream_symbol.h.
        link = [f"-L{torch / 'lib'}", "-lc10", "-ltorch_cpu", "-Wl,--exclude-libs,ALL", "-Wl,--no-as-needed", "-ltorch"]
        finish = ["-fsanitize=address"] if self.debug else ["-s"]
        finish += shlex.split(os.environ.get("LDFLAGS", ""))
        if toolkit is not None:
            macros.append("-DLFD_CUDA")
            facts += [f'-DLFD_CUDA_VERSION="{release(toolkit.nvcc)}"', f'-DLFD_CUDA_ARCHS="{";".join(archs())}"']
            # The compiler must find the system's own headers in its own order.
            system += [toolkit.include] if toolkit.include != Path("/usr/include") else []
            link += [*(f"-L{path}" for path in toolkit.libraries), "-lcudart_static", "-lrt", "-lpthread", "-ldl"]
        cxx = find_compiler() or ["c++"]
        compiler = [*cxx, *flags]
        glue = [*compiler, *macros, *(f"-isystem{path}" for path in system)]
        # The kernels see no header of torch: another torch, or LFDEBLUR_CUDA, compiles only the glue anew. Nor does the
        # glue see Python: another Python compiles only the module.
        commands = {
            "glue": ("csrc/*.cpp", glue),
            "module": (MODULE_SOURCE, [*glue, *facts, f"-isystem{sysconfig.get_path('include')}"]),
            "cpu": ("csrc/cpu/*.cpp", compiler),
        }
        for isa in ISAS:  # csrc/cpu/kernels/begin.h reads the macros
            # Beside better ones the baseline serves processors from before 2013: it takes half as long to compile so.
            level = ["-O2"] if isa == "baseline" and len(ISAS) > 1 and not self.debug else []
            macro = [f"-DLFD_ISA={isa}", f"-DLFD_{isa.upper()}"]
            commands[isa] = ("csrc/cpu/kernels/*.cpp", [*compiler, *level, *macro])
        if toolkit is not None:
            commands["cuda"] = ("csrc/cuda/*.cu", nvcc_command(toolkit))
        lines: list[str] = []
        objects: dict[str, list[str]] = {LIBRARY: [], target.name: []}  # of each of the two libraries
        for rule, (pattern, command) in commands.items():
            lines += [
                *ninja_rule(rule, [*command, "-MD", "-MF", "$out.d", "-c", "$in", "-o", "$out"], f"{rule}: $in"),
                "  depfile = $out.d",
                "  deps = gcc",
            ]
            for source in sorted(path.relative_to(ROOT) for path in ROOT.glob(pattern)):
                if (str(source) == MODULE_SOURCE) == (rule == "module"):
                    made = ninja_path(folder / rule / f"{source.name}.o")
                    objects[target.name if rule == "module" else LIBRARY].append(made)
                    lines.append(f"build {made}: {rule} {source}")
        linker = [*cxx, "-shared", "$in", "-o", "$out"]
        library = target.with_name(LIBRARY)
        whole = [] if self.debug else ["-Wl,--no-undefined"]  # AddressSanitizer's own stay open
        soname = f"-Wl,-soname,{LIBRARY}"
        lines += ninja_rule("link_library", [*linker, soname, *link, *whole, *finish], "link $out")
        lines += ninja_rule("link_module", [*linker, "-Wl,-rpath,$ORIGIN", *finish], "link $out")
        lines.append(f"build {ninja_path(library)}: link_library {' '.join(objects[LIBRARY])}")
        lines.append(f"build {ninja_path(target)}: link_module {' '.join(objects[target.name])} {ninja_path(library)}")
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


(ROOT / "build").mkdir(exist_ok=True)  # all that a build writes stands there
setup(
    long_description=for_index((ROOT / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
    packages=find_packages(include=["lfdeblur_ops*"])
    + [
        name.replace("models", "lfdeblur_models", 1)
        for name in ["models", *("models." + p for p in find_packages("models", exclude=["lfdeblur"]))]
    ]
    + ["lfdeblur"],
    package_dir={"lfdeblur_models": "models", "lfdeblur": "models/lfdeblur"},
    include_package_data=False,  # MANIFEST.in is for sources
    package_data={
        "lfdeblur_ops": ["py.typed", "*.pyi"],
        "lfdeblur_models": ["py.typed", "assets/**/*", "viewer/page/*"],
        "lfdeblur": ["py.typed"],
    },
    ext_modules=[extension()] if wants_extension() else [],
    cmdclass={"build_ext": Build},
    options={"egg_info": {"egg_base": "build"}},
)
