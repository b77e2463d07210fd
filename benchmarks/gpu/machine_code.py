"""The machine code of GPU kernels, and what it says they use; no GPU is needed."""

import ctypes
import hashlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lfdeblur_ops

CSRC = Path(__file__).resolve().parents[2] / "csrc"
# Per multiprocessor, from NVIDIA's table of compute capabilities. Shared memory in bytes; a block keeps 1 KiB of it.
LIMITS = {
    "80": {"registers": 65536, "warps": 64, "blocks": 32, "shared": 164 << 10, "shared_per_block": 163 << 10},
    "90": {"registers": 65536, "warps": 64, "blocks": 32, "shared": 228 << 10, "shared_per_block": 227 << 10},
    "100": {"registers": 65536, "warps": 64, "blocks": 32, "shared": 228 << 10, "shared_per_block": 227 << 10},
}
Facts = dict[tuple[str, str], dict[str, int]]


class NoToolError(RuntimeError):
    """Neither machine code to read nor the tools to make or read it."""


def find_cuobjdump() -> str:
    """The CUDA toolkit's, or the one that Triton ships."""
    spec = importlib.util.find_spec("triton")
    shipped = Path(spec.origin).parent / "backends" / "nvidia" / "bin" / "cuobjdump" if spec and spec.origin else None
    found = shutil.which("cuobjdump") or (str(shipped) if shipped and shipped.is_file() else None)
    if found is None:
        raise NoToolError("no cuobjdump: neither a CUDA toolkit nor Triton")
    return found


def machine_code(folder: Path, architectures: Collection[str] = tuple(LIMITS)) -> list[Path]:
    """Files with the kernels' machine code for the architectures: the extension, or cubins compiled into ``folder``.

    Cubins of an earlier call stay there, and are compiled again where the sources have changed.
    """
    extension = _up_to_date_extension() if extension_architectures() >= set(architectures) else None
    if extension is None and shutil.which("nvcc") is None:
        raise NoToolError("no nvcc, and no extension with CUDA kernels that is newer than they are")
    return [extension] if extension else _compile_cubins(folder, architectures)


def extension_architectures() -> set[str]:
    """Those of LIMITS that the installed extension has machine code for."""
    info = lfdeblur_ops.build_info()
    built = re.findall(r"\d+\.\d", str(info["cuda_architectures"])) if info.get("cuda") else []
    return {arch for arch in LIMITS if f"{arch[:-1]}.{arch[-1]}" in built}


def _up_to_date_extension() -> Path | None:
    library = lfdeblur_ops.build_info()["library"]
    if library is None:
        return None
    built = Path(library)
    sources = [*CSRC.glob("cuda/*"), *CSRC.glob("include/**/*.h")]
    return built if built.stat().st_mtime > max(source.stat().st_mtime for source in sources) else None


def _compile_cubins(folder: Path, architectures: Collection[str]) -> list[Path]:
    headers = [path.read_bytes() for path in sorted([*CSRC.glob("cuda/*.h"), *CSRC.glob("include/**/*.h")])]

    def compile_one(job: tuple[Path, str]) -> Path:
        source, arch = job
        flags = ["-O3", "-std=c++17", "-lineinfo", f"-I{CSRC}", f"-I{CSRC / 'include'}", f"-arch=sm_{arch}", "-cubin"]
        content = hashlib.sha256(b"".join([source.read_bytes(), *headers, repr(flags).encode()])).hexdigest()[:24]
        target = folder / f"{source.stem}-{content}.{arch}.cubin"
        if target.exists():
            return target
        partial = target.with_suffix(".partial")
        command = ["nvcc", *flags, str(source), "-o", str(partial)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise RuntimeError(f"nvcc failed on {source.name} for sm_{arch}:\n{done.stderr}")
        for old in folder.glob(f"{source.stem}-*.{arch}.cubin"):
            old.unlink(missing_ok=True)
        return partial.rename(target)

    jobs = [(source, arch) for source in sorted(CSRC.glob("cuda/*.cu")) for arch in architectures]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(compile_one, jobs))


def read_facts(files: Sequence[Path]) -> Facts:
    """``{(architecture, kernel): {"registers", "stack", "local", "static_shared", "LDG.128", "STG.128"}}``."""
    cuobjdump = find_cuobjdump()
    facts: Facts = {}
    names = {"REG": "registers", "STACK": "stack", "LOCAL": "local", "SHARED": "static_shared"}
    arch = kernel = ""
    for line in _dump(cuobjdump, files, "--dump-resource-usage"):
        if match := re.match(r"arch = sm_(\d+)", line):
            arch = match[1]
        elif match := re.match(r"\s*Function (\w+):", line):
            kernel = readable(match[1])
        elif "REG:" in line:
            values = dict(re.findall(r"(\w+)(?:\[\d\])?:(\d+)", line))
            facts[arch, kernel] = {mine: int(values[theirs]) for theirs, mine in names.items()}
            facts[arch, kernel] |= {"LDG.128": 0, "STG.128": 0}
    for line in _dump(cuobjdump, files, "--dump-sass"):
        if "LDG" in line or "STG" in line:
            if match := re.search(r"\b(LDG|STG)(?:STS)?\.[A-Z0-9.]*\b128\b", line):  # LDGSTS: to shared memory
                facts[arch, kernel][f"{match[1]}.128"] += 1
        elif "sm_" in line or "Function" in line:
            if match := re.search(r"(?:arch =|code for) sm_(\d+)", line):
                arch = match[1]
            elif match := re.match(r"\s*Function : (\w+)", line):
                kernel = readable(match[1])
    return facts


def _dump(cuobjdump: str, files: Sequence[Path], option: str) -> list[str]:
    lines = []
    for file in files:
        arch = re.search(r"\.(\d+)\.cubin$", file.name)
        lines += [f"arch = sm_{arch[1]}"] if arch else []
        done = subprocess.run([cuobjdump, option, str(file)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"cuobjdump failed on {file.name}: {done.stderr}")
        lines += done.stdout.splitlines()
    return lines


def readable(mangled: str) -> str:
    """``dynamic_filter_fwd_kernel<float, 7, 4>``: the kernel's name without namespaces and parameters."""
    library = ctypes.CDLL("libstdc++.so.6")
    library.__cxa_demangle.restype = ctypes.c_char_p
    demangled = library.__cxa_demangle(mangled.encode(), None, None, None)
    if demangled is None:  # Triton's names are plain
        return mangled
    name = demangled.decode()
    name = name.replace("(anonymous namespace)::", "").replace("lfdeblur::", "").replace("cuda::", "")
    name = name.replace("unsigned char", "uint8_t").replace("unsigned short", "uint16_t")
    return str(name).removeprefix("void ").split(">(")[0] + ">"
