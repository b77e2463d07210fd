"""Every Triton launch that the network can make, compiled for GPUs that need not be there: what it uses of them."""

import re
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from lfdeblur_ops.triton import conv3x3 as conv
from lfdeblur_ops.triton import conv_transpose4x4 as transposed
from lfdeblur_ops.triton import drb_head as head
from lfdeblur_ops.triton import drb_head_backward as backward

from .machine_code import read_facts

TENSOR_CORES = {"80": r"mma\.sync", "90": r"wgmma\.mma_async", "100": r"tcgen05\.mma|mma\.sync"}  # in PTX
TYPES = {torch.float32: "*fp32", torch.float16: "*fp16", torch.bfloat16: "*bf16"}
HEIGHT, WIDTH = 720, 1280


def empty(*shape, dtype):
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    return torch.empty(shape, dtype=dtype, device="meta", memory_format=layout)


def convolution(c, o, dtype, c2=0, stride=1, large=conv.LARGE_CONFIGS):
    x, x2 = (empty(1, n, HEIGHT, WIDTH, dtype=dtype) if n else None for n in (c, c2))
    residual = empty(1, o, HEIGHT // stride, WIDTH // stride, dtype=dtype)
    weight = empty(o, c + c2, 3, 3, dtype=dtype)
    return [conv.launch(x, x2, weight, empty(o, dtype=dtype), residual, stride, 0.1, large)[0]]


def transposition(c, o, dtype):
    x, residual = empty(1, c, HEIGHT // 2, WIDTH // 2, dtype=dtype), empty(1, o, HEIGHT, WIDTH, dtype=dtype)
    return [transposed.launch(x, empty(c, o, 4, 4, dtype=dtype), empty(o, dtype=dtype), residual, 0.1)[0]]


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
    "half conv3x3 128 usual tile": lambda: convolution(64, 128, HALF, c2=64, large={}),
    "half conv3x3 64 64": lambda: convolution(64, 64, HALF),
    "half conv3x3 256": lambda: convolution(256, 256, HALF),
    "half conv_transpose4x4 32": lambda: transposition(64, 32, HALF),
    "half conv_transpose4x4 64": lambda: transposition(128, 64, HALF),
    "half drb_head 64": lambda: heads(64, HALF),
    "half drb_head 128": lambda: heads(128, HALF),
    "half drb_head 64 k=15": lambda: heads(64, HALF, 15, gradients=False),
    "fp16 drb_head 64": lambda: heads(64, torch.float16),
    "tf32 conv3x3 3": lambda: convolution(3, 32, FLOAT),
    "tf32 conv3x3 32": lambda: convolution(32, 32, FLOAT),
    "tf32 conv3x3 64": lambda: convolution(64, 64, FLOAT),
    "tf32 conv_transpose4x4 32": lambda: transposition(64, 32, FLOAT),
    "tf32 conv_transpose4x4 64": lambda: transposition(128, 64, FLOAT),
    "tf32 drb_head 64": lambda: heads(64, FLOAT),
    "ieee conv3x3 32": lambda: convolution(32, 32, FLOAT),
    "ieee conv3x3 64": lambda: convolution(64, 64, FLOAT),
    "ieee conv_transpose4x4 32": lambda: transposition(64, 32, FLOAT),
    "ieee conv_transpose4x4 64": lambda: transposition(128, 64, FLOAT),
    "ieee drb_head 64": lambda: heads(64, FLOAT),
}


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


def facts(launch, architecture):
    """What a launch's machine code uses: the numbers of ``read_facts``, shared memory in bytes, tensor cores or not."""
    target = GPUTarget("cuda", int(architecture), 32)
    kernel = triton.compile(source(launch), target=target, options=launch.options())
    with tempfile.TemporaryDirectory() as folder:
        cubin = Path(folder) / f"kernel.{architecture}.cubin"
        cubin.write_bytes(kernel.asm["cubin"])
        (used,) = read_facts([cubin]).values()
    return used | {
        "shared": kernel.metadata.shared,
        "tensor_cores": bool(re.search(TENSOR_CORES[architecture], kernel.asm["ptx"])),
    }


def launches(case):
    """Those of a case of ``CASES``, under PyTorch's switches that allow tf32 or do not."""
    switches: tuple[Any, ...] = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    before = [switch.fp32_precision for switch in switches]
    for switch in switches:
        switch.fp32_precision = "tf32" if case.startswith("tf32") else "ieee"
    try:
        return CASES[case]()
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value
