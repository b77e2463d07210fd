"""``backends`` tells the truth of a GPU that is not here, and what it asks can be traced by torch.compile."""

import shutil
import subprocess
import sysconfig
from importlib import metadata, util
from pathlib import Path

import pytest
import torch
from torch.utils.cpp_extension import include_paths

import lfdeblur_ops
from lfdeblur_ops import _dispatch, _load

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def gpu(monkeypatch):
    """A call that sets what the build and the GPU are."""

    def with_facts(capability=(9, 0), **facts):
        known = {"cuda": True, "cuda_stream": True, "cuda_architectures": "8.0;9.0;10.0+PTX"}
        monkeypatch.setattr(_load, "FACTS", known | facts)
        monkeypatch.setattr(_dispatch, "_gpu", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        return lfdeblur_ops.backends("refocus")["cuda"]

    return with_facts


def test_cuda(gpu):
    assert gpu() == "ok"
    assert "built without CUDA kernels" in gpu(cuda=False)
    assert "does not give the extension its stream" in gpu(cuda_stream=False)
    assert gpu((8, 9)) == "ok"
    assert gpu((12, 0)) == "ok"
    told = gpu((7, 5))
    assert "architectures 8.0;9.0;10.0+PTX, the GPU is of 7.5" in told
    assert "TORCH_CUDA_ARCH_LIST=7.5" in told


@pytest.mark.parametrize(
    ("capability", "architectures", "runs"),
    [
        ((9, 0), "9.0", True),
        ((8, 6), "8.0 9.0", True),
        ((8, 0), "8.6", False),
        ((10, 0), "9.0", False),
        ((10, 0), "9.0+PTX", True),
        ((9, 0), "9.0a", True),
        ((12, 0), "9.0a+PTX", False),
        ((10, 3), "10.0f", True),
        ((8, 0), "9.0+PTX", False),
    ],
    ids=str,
)
def test_architectures(capability, architectures, runs):
    assert _dispatch.runs_on(capability, architectures) == runs


def test_versions_of_triton(monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda name: object())
    for version, usable in (("3.5.1", False), ("3.6.0", True), ("3.10.0+git", True), ("4.0", True)):
        monkeypatch.setattr(metadata, "version", lambda name, version=version: version)
        assert (_dispatch._triton_unusable() is None) == usable
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    assert "not installed" in _dispatch._triton_unusable()


def test_the_choice_can_be_traced(gpu, monkeypatch):
    monkeypatch.setattr(_dispatch, "_TRITON_UNUSABLE", None)
    assert gpu() == "ok"

    def call(x):
        choices = (_dispatch._cuda_missing(), _dispatch.triton_missing(), _dispatch.tensor_core_unfit(torch.float32))
        return x + sum(reason is None for reason in choices)

    assert torch.compile(call, fullgraph=True, backend="eager")(torch.zeros(())).item() == 3


def test_tf32_after_the_new_switch_was_used(float32_convolutions):
    """Reading ``allow_tf32`` would raise then."""
    for setting, allowed in (("ieee", False), ("tf32", True)):
        float32_convolutions(setting)
        assert _dispatch.tf32_allowed("conv") == allowed
        assert (_dispatch.tensor_core_unfit(torch.float32) is None) == allowed
    assert _dispatch.tensor_core_unfit(torch.bfloat16) is None
    assert "float64" in _dispatch.tensor_core_unfit(torch.float64)


@pytest.mark.skipif(shutil.which("readelf") is None, reason="no readelf")
def test_the_extension_is_linked_to_libtorch():
    """It leads to the CUDA library and its stream; no strong symbol asks for it, and the linker would drop it."""
    command = ["readelf", "-d", str(_load.library())]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "[libtorch.so]" in done.stdout


def test_module_compiles_beside_the_pybind11_of_torch_2_11(tmp_path):
    """Which refuses the macro of the stable ABI, under which all else is compiled."""
    guard = tmp_path / "pybind11"
    guard.mkdir()
    (guard / "pybind11.h").write_text(
        "#ifdef TORCH_TARGET_VERSION\n#error not with the stable ABI\n#endif\n#include_next <pybind11/pybind11.h>\n"
    )
    folders = [str(tmp_path), str(ROOT / "csrc"), str(ROOT / "csrc" / "include"), *include_paths()]
    includes = [f"-I{folder}" for folder in [*folders, sysconfig.get_paths()["include"]]]
    macros = ["-DTORCH_TARGET_VERSION=0x020b000000000000", '-DLFD_TORCH_VERSION="2.11"', "-DTORCH_EXTENSION_NAME=_C"]
    command = ["c++", "-std=c++17", "-fsyntax-only", *macros, *includes, str(ROOT / "csrc" / "module.cpp")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
