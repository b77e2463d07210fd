"""What the installed package says of itself, and what it must carry."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import types
from importlib import resources

import pytest
import torch

import lfdeblur_models
import lfdeblur_models.data
import lfdeblur_ops
from lfdeblur_ops import _load


def test_build_info():
    info = lfdeblur_ops.build_info()
    assert info["version"] == lfdeblur_ops.__version__ == importlib.metadata.version("lfdeblur")
    assert info["extension"] is True
    assert info["cpu_capability"] in ("baseline", "avx2", "avx512")
    assert info["torch_running"] == torch.__version__
    assert re.match(r"2\.\d+", info["torch_built"])
    if info["cuda"]:
        assert re.fullmatch(r"\d+\.\d+", info["cuda_version"])
        assert re.match(r"\d+\.\d", info["cuda_architectures"])
    else:
        assert info["cuda_version"] is None


def test_backends_give_a_reason():
    for op in (lfdeblur_ops.dynamic_filter, lfdeblur_ops.refocus):
        table = lfdeblur_ops.backends(op)
        assert list(table) == ["cuda", "cpu", "reference"]
        assert table["cpu"] == table["reference"] == "ok"
        if not torch.cuda.is_available():
            assert "CUDA" in table["cuda"]


def fresh(*codes):
    """What each code prints, in a process that has imported PyTorch alone: once for all of them, it takes seconds."""
    fork = """
import os, sys, torch
for code in sys.argv[1:]:
    child = os.fork()
    if not child:
        exec(code)
        break
    os.waitpid(child, 0)
"""
    command = [sys.executable, "-c", fork, *codes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def test_instruction_set_can_be_lowered_and_an_unknown_one_is_named():
    levels = ["baseline", "avx2", "avx512"]
    tell = "import lfdeblur_ops; print(lfdeblur_ops.build_info()['cpu_capability'])"
    wanted = ("", *levels, "avx3")
    (best, *got), errors = fresh(*(f"os.environ['LFDEBLUR_CPU_ISA'] = '{level}'; {tell}" for level in wanted))
    assert got == [levels[min(number, levels.index(best))] for number in range(3)]
    assert errors.count("Traceback") == 1
    message = errors.strip().splitlines()[-1]
    assert message == "ValueError: LFDEBLUR_CPU_ISA: got 'avx3', want 'baseline', 'avx2' or 'avx512'"


def test_package_data():
    assert (resources.files(lfdeblur_ops) / "py.typed").is_file()
    assert (resources.files(lfdeblur_ops) / "_C.pyi").is_file()
    assert (resources.files(lfdeblur_models) / "py.typed").is_file()
    assert any((resources.files(lfdeblur_models) / "assets").iterdir())


@pytest.mark.skipif(shutil.which("nm") is None, reason="no nm")
def test_extension_needs_only_symbols_of_the_oldest_torch():
    """The stable ABI alone: no C++ symbol of torch or c10 that changes between releases."""
    command = ["nm", "-D", "--undefined-only", str(_load.library())]
    symbols = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    names = [line.split()[-1] for line in symbols.stdout.splitlines() if line.strip()]
    assert any(name.startswith("aoti_torch_") for name in names)
    assert not [name for name in names if "c10" in name or "N2at" in name]


def test_a_module_of_the_name_of_a_function_can_be_imported():
    codes = []
    for name in ("deblur", "optimize"):
        module = importlib.import_module(f"lfdeblur_models.{name}")
        assert isinstance(module, types.ModuleType)
        assert getattr(module, name) is getattr(lfdeblur_models, name)
        # A statement of its own, first of all in a process: the attribute is still the function.
        codes.append(
            f"import lfdeblur_models.{name}, sys, types\n"
            f"from lfdeblur_models.{name} import {name} as function\n"
            f"assert lfdeblur_models.{name} is function and isinstance(function, types.FunctionType)\n"
            f"assert sys.modules['lfdeblur_models.{name}'].{name} is function\n"
            "print('yes')\n"
        )
    assert fresh(*codes) == (["yes", "yes"], "")


def test_errors_can_be_imported_from_the_package_that_raises_them():
    for name in ("BudgetError", "ImageError", "OutputError", "WeightsError"):
        assert issubclass(getattr(lfdeblur_models, name), ValueError)
    for name in ("DataError", "ImageError", "LightFieldError", "OutputError"):
        assert issubclass(getattr(lfdeblur_models.data, name), ValueError)
