"""What every CUDA kernel uses of a multiprocessor, read from its machine code and held against ``cuda_budgets.json``.

The code is the installed extension's if that is newer than the sources, else it is compiled here, for a minute or two.
A budget's first matching pattern counts. ``wide``: instructions that must occur with 16-byte operands.
"""

import ctypes
import importlib.util
import json
import re
import shutil
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import lfdeblur_ops

CSRC = Path(__file__).parent.parent / "csrc"
BUDGETS = json.loads((Path(__file__).parent / "cuda_budgets.json").read_text())
ARCHITECTURES = ("80", "90", "100")
SHARED_BY_SYSTEM = 1024  # bytes of a block that sm_90 and later keep for themselves; our kernels have no static ones


def find_cuobjdump() -> str | None:
    """The CUDA toolkit's, or the one that Triton ships."""
    spec = importlib.util.find_spec("triton")
    shipped = Path(spec.origin).parent / "backends" / "nvidia" / "bin" / "cuobjdump" if spec and spec.origin else None
    return shutil.which("cuobjdump") or (str(shipped) if shipped and shipped.is_file() else None)


def up_to_date_extension() -> Path | None:
    """The installed extension, if it holds today's kernels for all architectures."""
    info = lfdeblur_ops.build_info()
    names = {f"{arch[:-1]}.{arch[-1]}" for arch in ARCHITECTURES}
    if not info.get("cuda") or not names <= set(re.findall(r"\d+\.\d", str(info["cuda_architectures"]))):
        return None
    spec = importlib.util.find_spec("lfdeblur_ops._C")
    built = Path(spec.origin)
    sources = [*CSRC.glob("cuda/*"), *CSRC.glob("include/**/*.h")]
    return built if built.stat().st_mtime > max(source.stat().st_mtime for source in sources) else None


def compile_cubins(folder: Path) -> list[Path]:
    def compile_one(job: tuple[Path, str]) -> Path:
        source, arch = job
        target = folder / f"{source.stem}.{arch}.cubin"
        flags = ["-O3", "-std=c++17", "-lineinfo", f"-I{CSRC}", f"-I{CSRC / 'include'}", f"-arch=sm_{arch}", "-cubin"]
        done = subprocess.run(["nvcc", *flags, str(source), "-o", str(target)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return target

    jobs = [(source, arch) for source in sorted(CSRC.glob("cuda/*.cu")) for arch in ARCHITECTURES]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(compile_one, jobs))


def readable(mangled: str) -> str:
    """``dynamic_filter_fwd_kernel<float, 7, 4>``: the kernel's name without namespaces and parameters."""
    library = ctypes.CDLL("libstdc++.so.6")
    library.__cxa_demangle.restype = ctypes.c_char_p
    name = library.__cxa_demangle(mangled.encode(), None, None, None).decode()
    name = name.replace("(anonymous namespace)::", "").replace("lfdeblur::", "").replace("cuda::", "")
    name = name.replace("unsigned char", "uint8_t").replace("unsigned short", "uint16_t")
    return name.removeprefix("void ").split(">(")[0] + ">"


@pytest.fixture(scope="module")
def dumps(tmp_path_factory):
    """A function that runs cuobjdump with an option on all machine code there is."""
    cuobjdump = find_cuobjdump()
    if cuobjdump is None:
        pytest.skip("no cuobjdump: neither a CUDA toolkit nor Triton")
    extension = up_to_date_extension()
    if extension is None and shutil.which("nvcc") is None:
        pytest.skip("no nvcc, and no extension with CUDA kernels that is newer than they are")
    files = [extension] if extension else compile_cubins(tmp_path_factory.mktemp("cubins"))

    def dump(option: str) -> list[str]:
        lines = []
        for file in files:
            arch = re.search(r"\.(\d+)\.cubin$", file.name)
            lines += [f"arch = sm_{arch[1]}"] if arch else []
            done = subprocess.run([cuobjdump, option, str(file)], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            lines += done.stdout.splitlines()
        return lines

    return dump


@pytest.fixture(scope="module")
def usage(dumps):
    """{(architecture, kernel): {"REG": ..., "STACK": ..., "SHARED": ..., "LOCAL": ...}}."""
    found, arch, kernel = {}, "", ""
    for line in dumps("--dump-resource-usage"):
        if match := re.match(r"arch = sm_(\d+)", line):
            arch = match[1]
        elif match := re.match(r"\s*Function (\w+):", line):
            kernel = readable(match[1])
        elif "REG:" in line:
            found[arch, kernel] = {name: int(value) for name, value in re.findall(r"(\w+)(?:\[\d\])?:(\d+)", line)}
    return found


@pytest.fixture(scope="module")
def wide_instructions(dumps):
    """{(architecture, kernel): how often each of LDG and STG occurs with 16 bytes}."""
    found, arch, kernel = {}, "", ""
    for line in dumps("--dump-sass"):
        if match := re.search(r"(?:arch =|code for) sm_(\d+)", line):
            arch = match[1]
        elif match := re.match(r"\s*Function : (\w+)", line):
            kernel = readable(match[1])
            found[arch, kernel] = Counter()
        elif match := re.search(r"\b(LDG|STG)\.[A-Z0-9.]*\b128\b", line):
            found[arch, kernel][match[1]] += 1
    return found


def budget_of(kernel: str) -> dict:
    return next((budget for budget in BUDGETS if fnmatchcase(kernel, budget["kernel"])), None)


def test_every_kernel_has_a_budget_and_every_budget_kernels(usage):
    assert {arch for arch, _ in usage} >= set(ARCHITECTURES)
    kernels = {kernel for _, kernel in usage}
    assert [kernel for kernel in kernels if budget_of(kernel) is None] == []
    used = [budget_of(kernel) for kernel in kernels]
    assert [budget["kernel"] for budget in BUDGETS if budget not in used] == []


def test_no_kernel_spills(usage):
    assert {key: use for key, use in usage.items() if use["STACK"] or use["LOCAL"]} == {}


def test_registers_and_shared_memory(usage):
    over = {key: use for key, use in usage.items() if use["REG"] > budget_of(key[1])["registers"]}
    assert over == {}
    assert {key: use for key, use in usage.items() if use["SHARED"] > SHARED_BY_SYSTEM} == {}


def test_memory_bound_kernels_move_16_bytes_at_once(wide_instructions):
    assert {arch for arch, _ in wide_instructions} >= set(ARCHITECTURES)
    missing = [
        (arch, kernel, instruction)
        for (arch, kernel), counts in wide_instructions.items()
        for instruction in budget_of(kernel)["wide"]
        if not counts[instruction]
    ]
    assert missing == []
