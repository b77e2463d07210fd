"""``x + conv3x3(leaky_relu(conv3x3(x)))`` in one kernel.

A program computes the first convolution on a tile and a border of one pixel around it, leaves it in a piece of scratch
memory that it owns, and reads it back for the second. There are only as many programs as run at once, so the scratch
stays in the cache: the map between the convolutions never travels to memory. The border is computed by several
programs, which costs ``(TILE_H + 2) * (TILE_W + 2) / (TILE_H * TILE_W)`` of the first convolution.
"""

# mypy: disable-error-code="no-untyped-def"

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ._device import dot, leaky_relu, offsets
from ._launch import Launch, cdiv, channels_inside, empty_channels_last, persistent_programs, precision, run, strides
from .conv3x3 import conv3x3


class Config(NamedTuple):
    tile_h: int
    tile_w: int
    block_m: int  # pixels computed at once
    num_warps: int
    num_stages: int
    programs: int  # on a multiprocessor


# By precision and number of channels.
CONFIGS = {
    ("half", 32): Config(16, 32, 128, 4, 4, 3),
    ("half", 64): Config(16, 32, 128, 4, 3, 2),
    ("tf32", 32): Config(16, 32, 128, 4, 4, 2),
    ("tf32", 64): Config(16, 32, 128, 8, 3, 1),
    ("ieee", 32): Config(16, 32, 128, 4, 3, 3),
    ("ieee", 64): Config(16, 32, 64, 4, 3, 3),
}
CHANNELS = (32, 64)
BLOCK_K = {"half": 64, "tf32": 32, "ieee": 16}  # channels of a tap, at most


@triton.jit
def _convolve(
    source, weight, at, row, column, height, width, stride_h, stride_w,
    CHANNELS: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Sums over the 3x3 pixels around the pixels ``(row, column)`` at offsets ``at``; zero beyond ``height, width``."""
    k, co = tl.arange(0, BLOCK_K), tl.arange(0, BLOCK_N)
    a_start = (source + at)[:, None] + k[None, :]
    b_start = weight + co[None, :] * (9 * CHANNELS) + k[:, None]
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for step in range(0, 9 * (CHANNELS // BLOCK_K)):
        c = step // 9 * BLOCK_K
        tap = step % 9
        dy = tap // 3 - 1
        dx = tap % 3 - 1
        inside = (row + dy >= 0) & (row + dy < height) & (column + dx >= 0) & (column + dx < width)
        a = tl.load(
            a_start + (offsets(dy, dx, stride_h, stride_w) + c), mask=inside[:, None], other=0.0, cache_modifier=".ca"
        )
        acc = dot(a, tl.load(b_start + (tap * CHANNELS + c)), acc, PRECISION)
    return acc


@triton.jit(do_not_specialize=["height", "width", "tiles"])
def residual_block_fwd_kernel(
    x, weight1, bias1, weight2, bias2, out, scratch, tiles, height, width, negative_slope,
    x_n, x_h, x_w, out_n, out_h, out_w,
    CHANNELS: tl.constexpr, PRECISION: tl.constexpr,
    TILE_H: tl.constexpr, TILE_W: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    WIDE: tl.constexpr = TILE_W + 2
    HALO: tl.constexpr = (TILE_H + 2) * WIDE
    across = tl.cdiv(width, TILE_W)
    in_picture = across * tl.cdiv(height, TILE_H)
    co = tl.arange(0, CHANNELS)
    mine = scratch + tl.program_id(0).to(tl.int64) * (HALO * CHANNELS)
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        picture = (tile // in_picture).to(tl.int64)
        top, left = tile % in_picture // across * TILE_H, tile % across * TILE_W
        for first in range(0, HALO, BLOCK_M):
            m = first + tl.arange(0, BLOCK_M)
            row, column = top - 1 + m // WIDE, left - 1 + m % WIDE
            at = picture * x_n + offsets(row, column, x_h, x_w)
            hidden = _convolve(
                x, weight1, at, row, column, height, width, x_h, x_w, CHANNELS, BLOCK_K, CHANNELS, BLOCK_M, PRECISION
            )
            if bias1 is not None:
                hidden += tl.load(bias1 + co).to(tl.float32)[None, :]
            # The second convolution pads with zeros, not with what the first would give outside the picture.
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            hidden = tl.where(inside[:, None], leaky_relu(hidden, negative_slope), 0.0)
            tl.store(
                mine + m[:, None] * CHANNELS + co[None, :], hidden.to(x.dtype.element_ty), mask=(m < HALO)[:, None]
            )
        tl.debug_barrier()
        for first in range(0, TILE_H * TILE_W, BLOCK_M):
            m = first + tl.arange(0, BLOCK_M)
            row, column = m // TILE_W, m % TILE_W
            acc = _convolve(
                mine, weight2, ((row + 1) * WIDE + column + 1) * CHANNELS, row + 1, column + 1, TILE_H + 2, WIDE,
                WIDE * CHANNELS, CHANNELS, CHANNELS, BLOCK_K, CHANNELS, BLOCK_M, PRECISION,
            )  # fmt: skip
            if bias2 is not None:
                acc += tl.load(bias2 + co).to(tl.float32)[None, :]
            y, z = top + row, left + column
            mask = ((y < height) & (z < width))[:, None]
            at = picture * x_n + offsets(y, z, x_h, x_w)
            acc += tl.load(x + at[:, None] + co[None, :], mask=mask, other=0.0).to(tl.float32)
            at = picture * out_n + offsets(y, z, out_h, out_w)
            tl.store(out + at[:, None] + co[None, :], acc.to(out.dtype.element_ty), mask=mask)
        tl.debug_barrier()


def launch(
    x: Tensor, weight1: Tensor, bias1: Tensor | None, weight2: Tensor, bias2: Tensor | None, negative_slope: float
) -> tuple[Launch, Tensor]:
    """The kernel's launch, not yet run, and the tensor it writes."""
    n, channels, height, width = x.shape
    out = empty_channels_last(x, channels, height, width)
    form = precision(x.dtype, "conv")
    chosen = CONFIGS[form, channels]
    x = channels_inside(x)
    tiles = n * cdiv(height, chosen.tile_h) * cdiv(width, chosen.tile_w)
    programs = persistent_programs(x.device, tiles, chosen.programs)
    arguments = {
        "x": x,
        "weight1": weight1.contiguous(memory_format=torch.channels_last),
        "bias1": bias1,
        "weight2": weight2.contiguous(memory_format=torch.channels_last),
        "bias2": bias2,
        "out": out,
        "scratch": x.new_empty(programs * (chosen.tile_h + 2) * (chosen.tile_w + 2) * channels),
        "tiles": tiles,
        "height": height,
        "width": width,
        "negative_slope": negative_slope,
        **strides("x", x, channel=False),
        **strides("out", out, channel=False),
        "CHANNELS": channels,
        "PRECISION": form,
        "TILE_H": chosen.tile_h,
        "TILE_W": chosen.tile_w,
        "BLOCK_M": chosen.block_m,
        "BLOCK_K": min(BLOCK_K[form], channels),
    }
    return Launch(residual_block_fwd_kernel, (programs,), arguments, chosen.num_warps, chosen.num_stages), out


def residual_block(
    x: Tensor, weight1: Tensor, bias1: Tensor | None, weight2: Tensor, bias2: Tensor | None, negative_slope: float
) -> Tensor:
    """The op, as ``lfdeblur_ops.residual_block`` describes it; other channels than 32 and 64: two convolutions."""
    if x.shape[1] not in CHANNELS:
        hidden = conv3x3(x, None, weight1, bias1, None, 1, negative_slope)
        return conv3x3(hidden, None, weight2, bias2, x, 1, 1.0)
    kernel, out = launch(x, weight1, bias1, weight2, bias2, negative_slope)
    return run([kernel], out)
