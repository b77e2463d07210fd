"""3x3 convolution as an implicit matrix product, everything around it in its epilogue.

A program computes a tile of pixels for a block of output channels. Its input is read once per tap through the L1 cache
(``.ca``), which holds the tile with its border: read from L2 nine times over, layers of 32 and 64 channels would be
bound by L2's bandwidth and not by the tensor cores.
"""

# mypy: disable-error-code="no-untyped-def"

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ._device import dot, leaky_relu, offsets, tile_pixels
from ._launch import (
    Launch,
    cdiv,
    channels_inside,
    empty_channels_last,
    multiprocessors,
    power_of_two,
    precision,
    run,
    shared_memory,
    strides,
)

FLAT_CHANNELS = 7  # up to this many input channels, all taps of all channels are one block of the product


class Config(NamedTuple):
    tile_h: int
    tile_w: int
    block_n: int  # output channels
    block_k: int  # input channels of a tap
    num_warps: int
    num_stages: int

    def programs(self, n: int, height: int, width: int, outputs: int) -> int:
        return n * cdiv(height, self.tile_h) * cdiv(width, self.tile_w) * cdiv(outputs, self.block_n)


# By precision and number of output channels (the first entry that holds them all): the fastest that
# `benchmarks.gpu.variants` found for the network's layers on an H200. The stages of these fit into every GPU's shared
# memory (99 KiB), those of LARGE_CONFIGS, for more than 64 output channels, into that of sm_80, sm_90 and sm_100.
CONFIGS = {
    ("half", 32): Config(16, 16, 32, 32, 8, 4),
    ("half", 64): Config(8, 16, 64, 64, 4, 3),
    ("half", 0): Config(8, 16, 128, 64, 8, 3),
    ("tf32", 32): Config(8, 16, 32, 32, 4, 4),
    ("tf32", 0): Config(8, 16, 64, 32, 8, 4),
    ("ieee", 32): Config(8, 16, 32, 16, 4, 3),
    ("ieee", 0): Config(8, 8, 64, 16, 4, 3),
}
LARGE_CONFIGS = {
    ("half", 128): Config(16, 16, 128, 64, 8, 3),
    ("half", 0): Config(8, 16, 256, 64, 8, 3),
}
LARGE_SHARED, LARGE_OUTPUTS = 160 << 10, 64
FLAT_WARPS = 4  # one block of the product: nothing to pipeline


@triton.jit
def _add_taps(
    acc, x, weight, picture, row, column, co, height, width, x_n, x_h, x_w,
    OUTPUTS: tl.constexpr, CHANNELS: tl.constexpr, FIRST: tl.constexpr, ALL: tl.constexpr,
    STRIDE: tl.constexpr, BLOCK_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """``acc`` plus the part of the convolution that reads ``x``: channels ``FIRST ... FIRST + CHANNELS`` of ``ALL``."""
    y, z = row * STRIDE, column * STRIDE
    k = tl.arange(0, BLOCK_K)
    pixels = x + picture.to(tl.int64) * x_n + offsets(y, z, x_h, x_w)
    a_start = pixels[:, None] + k[None, :]
    b_start = weight + co[None, :] * (9 * ALL) + (FIRST + k)[:, None]
    for step in range(0, 9 * ((CHANNELS + BLOCK_K - 1) // BLOCK_K)):
        # All taps of a block of channels follow each other: what one tap fetched, the next finds in L1.
        c = step // 9 * BLOCK_K
        tap = step % 9
        dy = tap // 3 - 1
        dx = tap % 3 - 1
        inside = (y + dy >= 0) & (y + dy < height) & (z + dx >= 0) & (z + dx < width)
        a_mask, b_mask = inside[:, None], (co < OUTPUTS)[None, :]
        if CHANNELS % BLOCK_K != 0:
            a_mask &= (c + k < CHANNELS)[None, :]
            b_mask &= (c + k < CHANNELS)[:, None]
        a = tl.load(a_start + (offsets(dy, dx, x_h, x_w) + c), mask=a_mask, other=0.0, cache_modifier=".ca")
        b = tl.load(b_start + (tap * ALL + c), mask=b_mask, other=0.0)
        acc = dot(a, b, acc, PRECISION)
    return acc


@triton.jit
def _add_flat(
    acc, x, weight, picture, row, column, co, height, width, x_n, x_c, x_h, x_w,
    OUTPUTS: tl.constexpr, CHANNELS: tl.constexpr, STRIDE: tl.constexpr, BLOCK_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The same where a pixel has few channels: one block of the product holds all channels of all taps."""
    k = tl.arange(0, BLOCK_K)
    tap, c = k // CHANNELS, k % CHANNELS
    y = (row * STRIDE - 1)[:, None] + (tap // 3)[None, :]
    z = (column * STRIDE - 1)[:, None] + (tap % 3)[None, :]
    inside = (y >= 0) & (y < height) & (z >= 0) & (z < width) & (k < 9 * CHANNELS)[None, :]
    start = x + picture.to(tl.int64) * x_n
    a = tl.load(start + offsets(y, z, x_h, x_w) + c[None, :].to(tl.int64) * x_c, mask=inside, other=0.0)
    b_mask = (k < 9 * CHANNELS)[:, None] & (co < OUTPUTS)[None, :]
    b = tl.load(weight + co[None, :] * (9 * CHANNELS) + k[:, None], mask=b_mask, other=0.0)
    return dot(a, b, acc, PRECISION)


@triton.jit(do_not_specialize=["height", "width", "out_height", "out_width"])
def conv3x3_fwd_kernel(
    x, x2, weight, bias, residual, out, height, width, out_height, out_width, negative_slope,
    x_n, x_c, x_h, x_w, x2_n, x2_h, x2_w, residual_n, residual_h, residual_w, out_n, out_h, out_w,
    OUTPUTS: tl.constexpr, CHANNELS: tl.constexpr, CHANNELS2: tl.constexpr, STRIDE: tl.constexpr, FLAT: tl.constexpr,
    PRECISION: tl.constexpr,
    TILE_H: tl.constexpr, TILE_W: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    BLOCKS: tl.constexpr = (OUTPUTS + BLOCK_N - 1) // BLOCK_N
    # Programs that follow each other share a tile: it stays in the cache for all blocks of output channels.
    program = tl.program_id(0)
    picture, row, column = tile_pixels(program // BLOCKS, out_height, out_width, TILE_H, TILE_W)
    co = program % BLOCKS * BLOCK_N + tl.arange(0, BLOCK_N)
    acc = tl.zeros((TILE_H * TILE_W, BLOCK_N), tl.float32)
    if FLAT:
        acc = _add_flat(
            acc, x, weight, picture, row, column, co, height, width, x_n, x_c, x_h, x_w,
            OUTPUTS, CHANNELS, STRIDE, BLOCK_K, PRECISION,
        )  # fmt: skip
    else:
        acc = _add_taps(
            acc, x, weight, picture, row, column, co, height, width, x_n, x_h, x_w,
            OUTPUTS, CHANNELS, 0, CHANNELS + CHANNELS2, STRIDE, BLOCK_K, PRECISION,
        )  # fmt: skip
    if CHANNELS2 > 0:
        acc = _add_taps(
            acc, x2, weight, picture, row, column, co, height, width, x2_n, x2_h, x2_w,
            OUTPUTS, CHANNELS2, CHANNELS, CHANNELS + CHANNELS2, STRIDE, BLOCK_K, PRECISION,
        )  # fmt: skip
    if bias is not None:
        acc += tl.load(bias + co, mask=co < OUTPUTS, other=0.0).to(tl.float32)[None, :]
    acc = leaky_relu(acc, negative_slope)
    mask = ((row < out_height) & (column < out_width))[:, None] & (co < OUTPUTS)[None, :]
    if residual is not None:
        at = picture.to(tl.int64) * residual_n + offsets(row, column, residual_h, residual_w)
        acc += tl.load(residual + at[:, None] + co[None, :], mask=mask, other=0.0).to(tl.float32)
    at = picture.to(tl.int64) * out_n + offsets(row, column, out_h, out_w)
    tl.store(out + at[:, None] + co[None, :], acc.to(out.dtype.element_ty), mask=mask)


Table = dict[tuple[str, int], Config]


def config(
    configs: Table, large: Table, form: str, outputs: int, size: tuple[int, int, int], device: torch.device
) -> Config:
    """That of a precision and so many output channels, on so many pictures of such a size.

    The large tile where it fits into the GPU and the pictures have one for half of the multiprocessors.
    """

    def first(table: Table) -> Config | None:
        fit = (value for (kind, most), value in table.items() if kind == form and (most == 0 or outputs <= most))
        return next(fit, None)

    found = first(large) if outputs > LARGE_OUTPUTS and shared_memory(device) >= LARGE_SHARED else None
    if found is not None and 2 * found.programs(*size, outputs) >= multiprocessors(device):
        return found
    usual = first(configs)
    assert usual is not None
    return usual


def launch(
    x: Tensor,
    x2: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor | None,
    stride: int,
    negative_slope: float,
    large: Table = LARGE_CONFIGS,
) -> tuple[Launch, Tensor]:
    """The kernel's launch, not yet run, and the tensor it writes."""
    n, channels, height, width = x.shape
    outputs, channels2 = weight.shape[0], 0 if x2 is None else x2.shape[1]
    out_height, out_width = cdiv(height, stride), cdiv(width, stride)
    out = empty_channels_last(x, outputs, out_height, out_width)
    form = precision(x.dtype, "conv")
    chosen = config(CONFIGS, large, form, outputs, (n, out_height, out_width), x.device)
    flat = channels <= FLAT_CHANNELS and x2 is None
    block_n = min(chosen.block_n, power_of_two(outputs, 16))
    if flat:
        block_k = power_of_two(9 * channels, 16)
    else:
        x = channels_inside(x)
        block_k = min(chosen.block_k, power_of_two(max(channels, channels2), 16))
    x2 = x if x2 is None else channels_inside(x2)
    at_residual = out if residual is None else channels_inside(residual)
    arguments = {
        "x": x,
        "x2": x2,
        "weight": weight.contiguous(memory_format=torch.channels_last),
        "bias": bias,
        "residual": None if residual is None else at_residual,
        "out": out,
        "height": height,
        "width": width,
        "out_height": out_height,
        "out_width": out_width,
        "negative_slope": negative_slope,
        **strides("x", x),
        **strides("x2", x if x2 is None else x2, channel=False),
        **strides("residual", at_residual, channel=False),
        **strides("out", out, channel=False),
        "OUTPUTS": outputs,
        "CHANNELS": channels,
        "CHANNELS2": channels2,
        "STRIDE": stride,
        "FLAT": flat,
        "PRECISION": form,
        "TILE_H": chosen.tile_h,
        "TILE_W": chosen.tile_w,
        "BLOCK_N": block_n,
        "BLOCK_K": block_k,
    }
    grid = (n * cdiv(out_height, chosen.tile_h) * cdiv(out_width, chosen.tile_w) * cdiv(outputs, block_n),)
    warps, stages = (FLAT_WARPS, 1) if flat else (chosen.num_warps, chosen.num_stages)
    return Launch(conv3x3_fwd_kernel, grid, arguments, warps, stages), out


def conv3x3(
    x: Tensor,
    x2: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor | None,
    stride: int,
    negative_slope: float,
) -> Tensor:
    """The op, as ``lfdeblur_ops.conv3x3`` describes it."""
    kernel, out = launch(x, x2, weight, bias, residual, stride, negative_slope)
    return run([kernel], out)
