"""4x4 transposed convolution of stride 2 and padding 1, which doubles the size, as four 2x2 convolutions in one launch.

Output pixels of even and odd rows and columns see different taps: ``out[2y + a, 2x + b]`` is the sum over ``s, t`` in
``{0, 1}`` of ``x[y + s*(2a - 1), x + t*(2b - 1)] @ weight[:, :, 1 + a + s*(2 - 4a), 1 + b + t*(2 - 4b)]``. No zero is
multiplied, and no larger tensor than the result is written.
"""

# mypy: disable-error-code="no-untyped-def"

import torch
import triton
import triton.language as tl
from torch import Tensor

from ._device import dot, leaky_relu, offsets, tile_pixels
from ._launch import Launch, cdiv, channels_inside, empty_channels_last, power_of_two, precision, run, strides
from .conv3x3 import Config, config

# By precision and number of output channels, as in conv3x3.py; the tile is one of the input.
CONFIGS = {
    ("half", 32): Config(16, 16, 32, 32, 4, 4),
    ("half", 0): Config(8, 16, 64, 64, 4, 3),
    ("tf32", 32): Config(8, 16, 32, 32, 4, 4),
    ("tf32", 0): Config(8, 16, 64, 32, 8, 3),
    ("ieee", 32): Config(8, 16, 32, 16, 4, 3),
    ("ieee", 0): Config(8, 8, 64, 16, 4, 3),
}


@triton.jit(do_not_specialize=["height", "width"])
def conv_transpose4x4_fwd_kernel(
    x,
    weight,
    bias,
    residual,
    out,
    height,
    width,
    negative_slope,
    x_n,
    x_h,
    x_w,
    residual_n,
    residual_h,
    residual_w,
    out_n,
    out_h,
    out_w,
    CHANNELS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    PRECISION: tl.constexpr,
    TILE_H: tl.constexpr,
    TILE_W: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):  # fmt: residual
    BLOCKS: tl.constexpr = (OUTPUTS + BLOCK_N - 1) // BLOCK_N
    # The four phases and all blocks of output channels of a tile follow each other: it stays in the cache for them.
    program = tl.program_id(0)
    a, b = program % 4 // 2, program % 2
    picture, row, column = tile_pixels(program // (4 * BLOCKS), height, width, TILE_H, TILE_W)
    co = program // 4 % BLOCKS * BLOCK_N + tl.arange(0, BLOCK_N)
    k = tl.arange(0, BLOCK_K)
    x_start = (x + picture.to(tl.int64) * x_n + offsets(row, column, x_h, x_w))[:, None] + k[None, :]
    weight_start = weight + k[:, None] * (16 * OUTPUTS) + co[None, :]  # laid out [Ci, 4, 4, Co]
    acc = tl.zeros((TILE_H * TILE_W, BLOCK_N), tl.float32)
    for step in range(0, 4 * ((CHANNELS + BLOCK_K - 1) // BLOCK_K)):
        c = step // 4 * BLOCK_K
        s = step // 2 % 2
        t = step % 2
        dy = s * (2 * a - 1)
        dx = t * (2 * b - 1)
        tap = (1 + a + s * (2 - 4 * a)) * 4 + 1 + b + t * (2 - 4 * b)
        inside = (row + dy >= 0) & (row + dy < height) & (column + dx >= 0) & (column + dx < width)
        x_mask, weight_mask = inside[:, None], (co < OUTPUTS)[None, :]
        if CHANNELS % BLOCK_K != 0:
            x_mask &= (c + k < CHANNELS)[None, :]
            weight_mask &= (c + k < CHANNELS)[:, None]
        at = offsets(dy, dx, x_h, x_w) + c
        pixels = tl.load(x_start + at, mask=x_mask, other=0.0, cache_modifier=".ca")
        weights = tl.load(weight_start + (c * 16 + tap) * OUTPUTS, mask=weight_mask, other=0.0)
        acc = dot(pixels, weights, acc, PRECISION)
    if bias is not None:
        acc += tl.load(bias + co, mask=co < OUTPUTS, other=0.0).to(tl.float32)[None, :]
    acc = leaky_relu(acc, negative_slope)
    mask = ((row < height) & (column < width))[:, None] & (co < OUTPUTS)[None, :]
    y, z = 2 * row + a, 2 * column + b
    if residual is not None:
        at = picture.to(tl.int64) * residual_n + offsets(y, z, residual_h, residual_w)
        acc += tl.load(residual + at[:, None] + co[None, :], mask=mask, other=0.0).to(tl.float32)
    at = picture.to(tl.int64) * out_n + offsets(y, z, out_h, out_w)
    tl.store(out + at[:, None] + co[None, :], acc.to(out.dtype.element_ty), mask=mask)


def launch(
    x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor | None, negative_slope: float
) -> tuple[Launch, Tensor]:
    """The kernel's launch, not yet run, and the tensor it writes."""
    n, channels, height, width = x.shape
    outputs = weight.shape[1]
    out = empty_channels_last(x, outputs, 2 * height, 2 * width)
    form = precision(x.dtype, "conv")
    chosen = config(CONFIGS, {}, form, outputs, (n, height, width), x.device)
    block_n = min(chosen.block_n, power_of_two(outputs, 16))
    x = channels_inside(x)
    at_residual = out if residual is None else channels_inside(residual)
    arguments = {
        "x": x,
        "weight": weight.contiguous(memory_format=torch.channels_last),
        "bias": bias,
        "residual": None if residual is None else at_residual,
        "out": out,
        "height": height,
        "width": width,
        "negative_slope": negative_slope,
        **strides("x", x, channel=False),
        **strides("residual", at_residual, channel=False),
        **strides("out", out, channel=False),
        "CHANNELS": channels,
        "OUTPUTS": outputs,
        "PRECISION": form,
        "TILE_H": chosen.tile_h,
        "TILE_W": chosen.tile_w,
        "BLOCK_N": block_n,
        "BLOCK_K": min(chosen.block_k, power_of_two(channels, 16)),
    }
    tiles = n * cdiv(height, chosen.tile_h) * cdiv(width, chosen.tile_w)
    grid = (tiles * cdiv(outputs, block_n) * 4,)
    return Launch(conv_transpose4x4_fwd_kernel, grid, arguments, chosen.num_warps, chosen.num_stages), out


def conv_transpose4x4(
    x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor | None, negative_slope: float
) -> Tensor:
    """The op, as ``lfdeblur_ops.conv_transpose4x4`` describes it."""
    kernel, out = launch(x, weight, bias, residual, negative_slope)
    return run([kernel], out)
