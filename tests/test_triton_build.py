"""Every Triton launch that the network can make, compiled here for GPUs that are not: what it uses of them.

Held against ``triton_budgets.json``: registers, shared memory, no spills, and tensor-core instructions where a product
is meant. Float32 kernels are compiled for sm_90 only, unless ``LFDEBLUR_TEST_ALL_ARCHITECTURES=1``.
"""

# ruff: noqa: E402

import json
import os
import re
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch

triton = pytest.importorskip("triton")
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from lfdeblur_ops.triton import conv3x3 as conv
from lfdeblur_ops.triton import conv_transpose4x4 as transposed
from lfdeblur_ops.triton import drb_head as head
from lfdeblur_ops.triton import drb_head_backward as backward
from lfdeblur_ops.triton import residual_block as block

BUDGETS = json.loads((Path(__file__).parent / "triton_budgets.json").read_text())
SHARED_MAXIMUM = {80: 163 << 10, 90: 227 << 10, 100: 227 << 10}  # of a block, in bytes
TENSOR_CORES = {80: r"mma\.sync", 90: r"wgmma\.mma_async", 100: r"tcgen05\.mma|mma\.sync"}
TYPES = {torch.float32: "*fp32", torch.float16: "*fp16", torch.bfloat16: "*bf16"}
HEIGHT, WIDTH = 720, 1280


def empty(*shape, dtype):
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    return torch.empty(shape, dtype=dtype, device="meta", memory_format=layout)


def convolution(c, o, dtype, c2=0, stride=1):
    x, x2 = (empty(1, n, HEIGHT, WIDTH, dtype=dtype) if n else None for n in (c, c2))
    residual = empty(1, o, HEIGHT // stride, WIDTH // stride, dtype=dtype)
    weight = empty(o, c + c2, 3, 3, dtype=dtype)
    return [conv.launch(x, x2, weight, empty(o, dtype=dtype), residual, stride, 0.1)[0]]


def transposition(c, o, dtype):
    x, residual = empty(1, c, HEIGHT // 2, WIDTH // 2, dtype=dtype), empty(1, o, HEIGHT, WIDTH, dtype=dtype)
    return [transposed.launch(x, empty(c, o, 4, 4, dtype=dtype), empty(o, dtype=dtype), residual, 0.1)[0]]


def residual(c, dtype):
    weight, bias = empty(c, c, 3, 3, dtype=dtype), empty(c, dtype=dtype)
    return [block.launch(empty(1, c, HEIGHT, WIDTH, dtype=dtype), weight, bias, weight, bias, 0.1)[0]]


def heads(c, dtype, k=7, gradients=True):
    """Forward and, with ``gradients``, all of backward."""
    features, other = (empty(1, n, HEIGHT, WIDTH, dtype=dtype) for n in (c, 64))
    image = torch.empty((1, 3, HEIGHT, WIDTH), dtype=dtype, device="meta")
    weight, bias = empty(k * k, c, dtype=dtype), empty(k * k, dtype=dtype)
    color_weight, color_bias = empty(3, 64, dtype=dtype), empty(3, dtype=dtype)
    options = (k, 0.1, -1.0, 1.0, dtype)
    launches = head.launch(features, weight, bias, other, color_weight, color_bias, image, *options)[0]
    if gradients:
        launches += backward.launch_kernel_branch(image, image, features, weight, k)[0][1:2]
        launches.append(backward.launch_residual_branch(image, other, color_weight, color_bias, 0.1)[0])
        launches += backward.launch_image(image, image, features, weight, bias, k)[0]
    return launches


HALF = torch.bfloat16
FLOAT = torch.float32
CASES = {
    "half conv3x3 3": lambda: convolution(3, 32, HALF),
    "half conv3x3 32": lambda: convolution(32, 32, HALF),
    "half conv3x3 64": lambda: convolution(32, 64, HALF, stride=2),
    "half conv3x3 128": lambda: convolution(32, 128, HALF, c2=32),
    "half conv_transpose4x4 32": lambda: transposition(64, 32, HALF),
    "half conv_transpose4x4 64": lambda: transposition(128, 64, HALF),
    "half conv_transpose4x4 128": lambda: transposition(256, 128, HALF),
    "half residual_block 32": lambda: residual(32, HALF),
    "half residual_block 64": lambda: residual(64, HALF),
    "half drb_head 64": lambda: heads(64, HALF),
    "half drb_head 128": lambda: heads(128, HALF),
    "half drb_head 64 k=15": lambda: heads(64, HALF, 15, gradients=False),
    "tf32 conv3x3 3": lambda: convolution(3, 32, FLOAT),
    "tf32 conv3x3 32": lambda: convolution(32, 32, FLOAT),
    "tf32 conv3x3 64": lambda: convolution(64, 64, FLOAT),
    "tf32 conv_transpose4x4 32": lambda: transposition(64, 32, FLOAT),
    "tf32 conv_transpose4x4 64": lambda: transposition(128, 64, FLOAT),
    "tf32 residual_block 32": lambda: residual(32, FLOAT),
    "tf32 residual_block 64": lambda: residual(64, FLOAT),
    "tf32 drb_head 64": lambda: heads(64, FLOAT),
    "ieee conv3x3 32": lambda: convolution(32, 32, FLOAT),
    "ieee conv3x3 64": lambda: convolution(64, 64, FLOAT),
    "ieee conv_transpose4x4 32": lambda: transposition(64, 32, FLOAT),
    "ieee conv_transpose4x4 64": lambda: transposition(128, 64, FLOAT),
    "ieee residual_block 32": lambda: residual(32, FLOAT),
    "ieee residual_block 64": lambda: residual(64, FLOAT),
    "ieee drb_head 64": lambda: heads(64, FLOAT),
}


def architectures(case):
    every = os.environ.get("LFDEBLUR_TEST_ALL_ARCHITECTURES") == "1" or case.startswith("half")
    return (80, 90, 100) if every else (90,)


def source(launch):
    """What the launch would compile, with Triton's own specialisation of the arguments."""
    signature, constants, attributes = {}, {}, {}
    for index, parameter in enumerate(launch.kernel.params):
        value, name = launch.arguments[parameter.name], parameter.name
        special = not parameter.do_not_specialize
        if parameter.is_constexpr or value is None or (special and type(value) is int and value == 1):
            signature[name], constants[index,] = "constexpr", value
        elif isinstance(value, torch.Tensor):
            signature[name], attributes[index,] = TYPES[value.dtype], [["tt.divisibility", 16]]
        elif isinstance(value, float):
            signature[name] = "fp32"
        else:
            signature[name] = "i32" if value < 2**31 else "i64"
            if special and value % 16 == 0:
                attributes[index,] = [["tt.divisibility", 16]]
    return ASTSource(launch.kernel, signature, constants, attributes)


def compiled(launch, architecture, folder):
    """Registers, bytes of stack, bytes of shared memory and PTX."""
    target = GPUTarget("cuda", architecture, 32)
    kernel = triton.compile(source(launch), target=target, options=launch.options())
    cubin = folder / "kernel.cubin"
    cubin.write_bytes(kernel.asm["cubin"])
    cuobjdump = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    done = subprocess.run([cuobjdump, "--dump-resource-usage", cubin], capture_output=True, text=True, check=True)
    used = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", done.stdout)}
    return used["REG"], used["STACK"] + used["LOCAL"], kernel.metadata.shared, kernel.asm["ptx"]


def budget_of(case, launch):
    label = f"{case} {launch.kernel.__name__}"
    return next((budget for budget in BUDGETS if fnmatchcase(label, budget["launch"])), None)


@pytest.fixture
def settings():
    switches = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [switch.allow_tf32 for switch in switches]

    def allow(tf32):
        for switch in switches:
            switch.allow_tf32 = tf32

    yield allow
    for switch, value in zip(switches, before, strict=True):
        switch.allow_tf32 = value


@pytest.mark.parametrize("case", CASES)
def test_launches_are_within_their_budgets(case, settings, tmp_path):
    settings(case.startswith("tf32"))
    for launch in CASES[case]():
        budget = budget_of(case, launch)
        assert budget, f"no budget for {case} {launch.kernel.__name__}"
        for architecture in architectures(case):
            registers, spilled, shared, ptx = compiled(launch, architecture, tmp_path)
            about = f"{case} {launch.kernel.__name__} sm_{architecture}: {registers} registers, {shared} bytes shared"
            assert spilled == 0, about
            assert registers <= budget["registers"], about
            assert shared <= min(budget["shared"], SHARED_MAXIMUM[architecture]), about
            assert bool(re.search(TENSOR_CORES[architecture], ptx)) == budget["tensor_cores"], about


def test_every_configuration_is_compiled(settings):
    """Each entry of the tables of launch parameters is that of some case."""
    used = set()
    for case, launches in CASES.items():
        settings(case.startswith("tf32"))
        for launch in launches():
            names = ("TILE_H", "TILE_W", "BLOCK_N", "BLOCK_M")
            shape = tuple(launch.arguments[name] for name in names if name in launch.arguments)
            used.add((launch.kernel.__name__.split("_fwd")[0], shape, launch.num_warps, launch.num_stages))
    tables = {"conv3x3": conv.CONFIGS, "conv_transpose4x4": transposed.CONFIGS}
    for op, table in tables.items():
        for entry in table.values():
            assert (op, (entry.tile_h, entry.tile_w, entry.block_n), entry.num_warps, entry.num_stages) in used
    for entry in block.CONFIGS.values():
        shape = (entry.tile_h, entry.tile_w, entry.block_m)
        assert ("residual_block", shape, entry.num_warps, entry.num_stages) in used
    for op, table in {
        "drb_head": head.CONFIGS,
        "drb_head_grad_kernel_kernel": backward.CONFIGS,
        "drb_head_grad_residual_kernel": backward.RESIDUAL_CONFIGS,
    }.items():
        for entry in table.values():
            assert (op, (entry.tile_h, entry.tile_w), entry.num_warps, entry.num_stages) in used


def test_a_spilling_kernel_is_seen(settings, tmp_path, monkeypatch):
    """The check of spills can fail: a tile that cannot fit the registers."""
    settings(False)
    monkeypatch.setitem(conv.CONFIGS, ("half", 0), conv.Config(16, 16, 128, 32, 4, 2))
    (launch,) = convolution(128, 128, HALF)
    _, spilled, _, _ = compiled(launch, 80, tmp_path)
    assert spilled > 0


def test_budgets_are_used(settings):
    labels = []
    for case, launches in CASES.items():
        settings(case.startswith("tf32"))
        labels += [budget_of(case, launch)["launch"] for launch in launches()]
    assert [budget["launch"] for budget in BUDGETS if budget["launch"] not in labels] == []
