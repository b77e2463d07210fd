"""What can be checked of the layout without Nix: ``python csrc/huggingface/check.py OUT [--build]``.

Assembles the ops in the folder OUT, then reads them as the kernel-builder does: build.toml has the keys of its edition
and lists every source that is there, modules import nothing but themselves, PyTorch, Triton and Python's own. With
--build also what it does with them for a CPU: compiled for the limited Python API and a name of its own, loaded by path
beside the installed library, and held against that, with gradients and under torch.compile.
"""

import argparse
import ast
import importlib.util
import os
import shlex
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

from assemble import PACKAGE, assemble

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = {
    "general": {"name", "version", "edition", "license", "backends", "hub", "upstream", "source"},
    "torch": {"src", "include", "minver", "maxver", "pyext", "stable-abi", "cxx-flags"},
    "kernel": {"backend", "depends", "include", "src", "cxx-flags", "cuda-capabilities", "cuda-flags", "cuda-minver"},
}
BACKENDS = {"cpu", "cuda"}
FLAGS = ["-std=c++17", "-O3", "-DNDEBUG", "-fPIC", "-fvisibility=hidden", "-DPy_LIMITED_API=0x03090000"]
NAME = "_lfdeblur_ops_cpu_check"
# The builder writes this header; here only what our sources ask of it.
REGISTRATION = """#pragma once
#include <Python.h>
#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
#define STRINGIFY_(a) #a
#define STRINGIFY(a) STRINGIFY_(a)
#define REGISTER_EXTENSION(name)                                                                  \\
  PyMODINIT_FUNC CONCAT(PyInit_, name)() {                                                        \\
    static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, STRINGIFY(name), nullptr, 0, nullptr}; \\
    return PyModule_Create(&module);                                                              \\
  }
"""
OPS = f"""import torch
from . import {NAME}

ops = torch.ops.{NAME}


def add_op_namespace_prefix(op_name: str) -> str:
    return f"{NAME}::{{op_name}}"
"""


def read(root: Path) -> dict[str, Any]:
    """build.toml, and what is wrong with the folder as an AssertionError."""
    build = tomllib.loads((root / "build.toml").read_text())
    assert set(build) == set(KEYS), set(build)
    for name, section in {"general": build["general"], "torch": build["torch"], **build["kernel"]}.items():
        known = KEYS.get(name, KEYS["kernel"])
        assert set(section) <= known, f"{name}: {set(section) - known} are no keys of edition 5"
    assert build["general"]["edition"] == 5
    assert {kernel["backend"] for kernel in build["kernel"].values()} == set(build["general"]["backends"]) == BACKENDS
    listed: set[str] = set(build["torch"]["src"])
    for kernel in build["kernel"].values():
        listed |= set(kernel["src"])
    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.suffix in (".cpp", ".cu", ".h")}
    assert listed == there, f"listed or there alone: {listed ^ there}"
    for module in (root / "torch-ext").rglob("*.py"):
        _check_imports(module)
    assert "__all__" in (root / "torch-ext" / PACKAGE / "__init__.py").read_text()
    assert (root / "CARD.md").read_text().startswith("---\nlibrary_name: kernels\n")
    return build


def _check_imports(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            assert top in ("torch", "triton") or top in sys.stdlib_module_names, f"{module}: imports {name}"
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        assert not text.startswith("lfdeblur::"), f"{module}: {text} is not this build's"


def build(root: Path, told: dict[str, Any], to: Path) -> None:
    """The CPU's module, with the Python beside it, as the ``kernels`` library loads it."""
    torch = Path(importlib.util.find_spec("torch").origin).parent  # type: ignore[union-attr, arg-type]
    (root / "torch-ext" / "registration.h").write_text(REGISTRATION)
    system = [torch / "include", torch / "include/torch/csrc/api/include", sysconfig.get_path("include")]
    macros = [f"-DTORCH_EXTENSION_NAME={NAME}", "-DCPU_KERNEL", "-DTORCH_TARGET_VERSION=0x020b000000000000"]
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    objects = root / "objects"
    objects.mkdir()

    def compiled(source: str, section: dict[str, Any]) -> str:
        target = str(objects / f"{source.replace('/', '_')}.o")
        include = [f"-I{root / folder}" for folder in section["include"]] + [f"-isystem{folder}" for folder in system]
        flags = [*FLAGS, *section.get("cxx-flags", ()), *macros, *include]
        subprocess.run([*compiler, *flags, "-c", str(root / source), "-o", target], check=True)
        return target

    jobs = [(s, told["torch"]) for s in told["torch"]["src"]] + [
        (s, told["kernel"]["cpu"]) for s in told["kernel"]["cpu"]["src"]
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = list(pool.map(lambda job: compiled(*job), [job for job in jobs if job[0].endswith(".cpp")]))
    to.mkdir(parents=True)
    for module in (root / "torch-ext" / PACKAGE).rglob("*.py"):
        target = to / module.relative_to(root / "torch-ext" / PACKAGE)
        target.parent.mkdir(exist_ok=True)
        target.write_text(module.read_text())
    (to / "_ops.py").write_text(OPS)
    link = [f"-L{torch / 'lib'}", "-lc10", "-ltorch_cpu", "-Wl,--no-as-needed", "-ltorch"]
    subprocess.run([*compiler, "-shared", *made, "-o", str(to / f"{NAME}.abi3.so"), *link], check=True)


def load(folder: Path) -> ModuleType:
    """A build by its path, under a name that Python does not know it by."""
    spec = importlib.util.spec_from_file_location("kernel_of_another_name", folder / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def compare(built: ModuleType) -> None:
    """Its ops and those of the installed library give the same, side by side."""
    import torch

    import lfdeblur_ops as installed

    torch.manual_seed(0)
    image = torch.randn(2, 3, 17, 21)
    features, weights = torch.randn(2, 8, 17, 21), torch.randn(9, 8)
    wide, weight, bias = torch.randn(1, 16, 64, 64), torch.randn(16, 16, 3, 3), torch.randn(16)
    calls: dict[str, tuple[Any, list[Any]]] = {
        "dynamic_filter": (lambda ops, x, f: ops.dynamic_filter(x, f, 5), [image, torch.randn(2, 25, 17, 21)]),
        "dynamic_filter_separable": (
            lambda ops, x, f: ops.dynamic_filter_separable(x, f, (5, 3)),
            [image, torch.randn(2, 8, 17, 21)],
        ),
        "refocus": (lambda ops, x, d: ops.refocus(x, d), [torch.randn(3, 3, 3, 9, 8), torch.tensor([-1.5, 0.0, 0.7])]),
        "drb_head": (
            lambda ops, k, w, r, v, i: ops.drb_head(k, w, None, r, v, None, i, 3, clip=(-1, 1)),
            [features, weights, features.flip(1), torch.randn(3, 8), image],
        ),
        "conv3x3": (
            lambda ops, *t: ops.conv3x3(*t, activation="leaky_relu", backend="fast").square(),
            [wide, weight, bias],
        ),
        "residual_block": (lambda ops, *t: ops.residual_block(*t, *t[1:]), [wide, weight, bias]),
        "conv_transpose4x4": (lambda ops, *t: ops.conv_transpose4x4(*t), [wide, torch.randn(16, 8, 4, 4)]),
    }
    for name, (call, tensors) in calls.items():
        leaves = [tensor.clone().requires_grad_() for tensor in tensors]
        found = []
        for ops in (built, installed):
            out = call(ops, *leaves)
            found.append([out.detach(), *torch.autograd.grad(out.sum(), leaves)])
        for mine, want in zip(*found, strict=True):
            torch.testing.assert_close(mine, want, rtol=0, atol=0)
        traced = torch.compile(lambda *t, call=call: call(built, *t), fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(traced(*tensors), found[0][0], rtol=0, atol=0)
        print(f"{name}: as installed, with gradients, and compiled")
    assert built.backends("refocus")["cpu"] == "ok"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--build", action="store_true")
    arguments = parser.parse_args()
    assemble(arguments.out)
    told = read(arguments.out)
    print(f"{arguments.out}: the layout of edition {told['general']['edition']}")
    if arguments.build:
        build(arguments.out, told, arguments.out / "built")
        compare(load(arguments.out / "built"))
