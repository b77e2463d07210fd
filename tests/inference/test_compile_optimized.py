"""``optimize``'s networks, exported and compiled ahead of time; a C++ program that restores a picture with one."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lfdeblur_models import optimize
from lfdeblur_ops import build_info, decompositions
from lfdeblur_ops.testing import BFLOAT16_LAYERS, MANY_ROUNDINGS

from ..exported import SIZES, exported, packaged
from ..natural import natural

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "cpp"


def pictures(size, views=1):
    n, height, width = size
    return [torch.rand(n, 3, height, width) * 2 - 1 for _ in range(1 if views == 1 else 3)]


def network(**shape):
    return natural(**{"width": 16, "scales": 2, "kernel_size": 3} | shape)


@pytest.mark.parametrize("strict", [False, True], ids=["traced", "strict"])
@pytest.mark.parametrize("views", [1, 2])
def test_an_exported_program_serves_every_size(views, strict):
    """On the packed weights: none is transformed when it runs."""
    net = network(views=views)
    program = exported(optimize(net), views=views, strict=strict)
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert {"lfdeblur.winograd_conv3x3.default", "lfdeblur.convolution.default"} <= called
    assert "lfdeblur.winograd_weight.default" not in called
    run = program.module()
    for size in SIZES:
        inputs = pictures(size, views)
        torch.testing.assert_close(run(*inputs), net(*inputs), rtol=0, atol=MANY_ROUNDINGS)


def test_narrow_features():
    net = network()
    inputs = pictures((1, 37, 51))
    got = exported(optimize(net, torch.bfloat16)).module()(*inputs)
    torch.testing.assert_close(got, net(*inputs), rtol=0, atol=BFLOAT16_LAYERS)
    assert got.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_decomposed_none_of_our_operators_is_left(dtype):
    net = network()
    table = torch.export.default_decompositions() | decompositions()
    program = exported(optimize(net, dtype)).run_decompositions(table)
    assert not [node for node in program.graph.nodes if "lfdeblur" in str(node.target)]
    inputs = pictures((1, 37, 51))
    tolerance = MANY_ROUNDINGS if dtype == torch.float32 else BFLOAT16_LAYERS
    torch.testing.assert_close(program.module()(*inputs), net(*inputs), rtol=0, atol=tolerance)


def test_variants_run_on_the_fused_ops():
    net = network(variant="single-scale")
    run = exported(optimize(net)).module()
    for size in SIZES:
        inputs = pictures(size)
        torch.testing.assert_close(run(*inputs), net(*inputs), rtol=0, atol=MANY_ROUNDINGS)


def test_a_program_outlives_its_file(tmp_path):
    net = network()
    torch.export.save(exported(optimize(net)), tmp_path / "net.pt2")
    run = torch.export.load(tmp_path / "net.pt2").module()
    inputs = pictures((1, 37, 51))
    torch.testing.assert_close(run(*inputs), net(*inputs), rtol=0, atol=MANY_ROUNDINGS)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    net = network()
    return net, packaged(exported(optimize(net)), tmp_path_factory.mktemp("aoti") / "net.pt2")


@pytest.mark.slow
def test_compiled_ahead_of_time(package):
    net, path = package
    run = torch._inductor.aoti_load_package(path)
    for size in SIZES:
        inputs = pictures(size)
        torch.testing.assert_close(run(*inputs), net(*inputs), rtol=0, atol=MANY_ROUNDINGS)


def missing_tool(folder):
    if shutil.which("cmake") is None or shutil.which("c++") is None:
        return "no cmake or no C++ compiler on this machine"
    command = ["cmake", "--find-package", "-DNAME=PNG", "-DCOMPILER_ID=GNU", "-DLANGUAGE=C", "-DMODE=EXIST"]
    found = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)  # it leaves files where it runs
    return "" if found.returncode == 0 else "no libpng to compile with (apt-get install libpng-dev)"


@pytest.mark.slow
def test_a_program_in_cpp_restores_as_python_does(package, tmp_path):
    if reason := missing_tool(tmp_path):
        pytest.skip(reason)
    build = tmp_path / "build"
    prefix = f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}"
    for command in (["cmake", "-S", EXAMPLE, "-B", build, prefix], ["cmake", "--build", build]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    _, path = package
    photo = np.random.default_rng(0).integers(0, 256, (37, 51, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    files = [tmp_path / "photo.png", tmp_path / "restored.png"]
    command = [build / "restore", build_info()["library"], path, *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr

    center = (torch.from_numpy(photo).float() / 127.5 - 1).permute(2, 0, 1)[None].contiguous()
    restored = torch._inductor.aoti_load_package(path)(center)[0]
    pixels = ((restored + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    assert np.array_equal(np.asarray(Image.open(files[1])), pixels)
    assert pixels.std() > 10

    command[1] = tmp_path / "liblfdeblur_ops.so"
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "liblfdeblur_ops.so: cannot open shared object file" in done.stderr
