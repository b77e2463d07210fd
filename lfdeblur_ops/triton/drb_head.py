"""Head of a dynamic residual block: kernels predicted, applied and joined with the residual in one kernel.

A tile of pixels ``[P, C]`` times the weights ``[C, taps]`` gives each pixel's kernel in registers, laid out as rows of
the kernel padded to a power of two. It is multiplied with the picture's taps, gathered from the L1 cache, and summed
per colour. Kernels of more than 64 padded taps are done a few rows at a time.
"""

# mypy: disable-error-code="no-untyped-def"

import math
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from . import drb_head_backward as backward
from ._device import leaky_relu, offsets, tile_pixels
from ._head import Taps, block_of_taps, load_weight, packed_pixels, project
from ._launch import Launch, cdiv, persistent_programs, power_of_two, precision, run, strides
from ._padded_picture import GROUP, INTERPRETED, launch_pack, load_colors


class Config(NamedTuple):
    tile_h: int
    tile_w: int
    block_k: int  # features of a step
    num_warps: int
    num_stages: int
    programs: int  # on a multiprocessor


# By precision.
CONFIGS = {
    "half": Config(2, 32, 128, 4, 2, 4),
    "tf32": Config(2, 32, 64, 4, 2, 2),
    "ieee": Config(2, 32, 16, 8, 2, 1),
}


@triton.jit
def _add_filtered(
    acc, packed, features, weight, at, inside, first_tap, wide, group_size, i, j, weights, biases, features_c,
    COLORS: tl.constexpr, CHANNELS: tl.constexpr, K: tl.constexpr, BLOCK_K: tl.constexpr, PRECISION: tl.constexpr,
    INTERPRETED: tl.constexpr,
):  # fmt: skip
    """``acc`` plus what the taps ``(i, j)`` of each pixel's kernel give for each colour."""
    used = (i < K) & (j < K)
    filters = project(
        features, weight, at, inside, i * K + j, used, weights, biases, features_c, CHANNELS, BLOCK_K, PRECISION
    )
    # The picture itself is added by the tap in the middle.
    filters += tl.where((i == K // 2) & (j == K // 2), 1.0, 0.0)[None, :]
    # Columns beyond the kernel are zero times a tap of the same pixel.
    taps = first_tap[:, None] + (tl.minimum(i, K - 1) * wide + tl.minimum(j, K - 1))[None, :]
    color = tl.arange(0, acc.shape[1])
    for group in tl.static_range(0, COLORS, 4):
        values = load_colors(packed, taps + (group // 4) * group_size, INTERPRETED)
        for c in tl.static_range(4):
            if group + c < COLORS:
                acc += tl.where(
                    (color == group + c)[None, :],
                    tl.sum(tl.where(used[None, :], filters * values[c], 0.0), 1)[:, None],
                    0.0,
                )
    return acc


@triton.jit(do_not_specialize=["tiles", "height", "width"])
def drb_head_fwd_kernel(
    kernel_features, kernel_weight, kernel_bias, residual_features, residual_weight, residual_bias, packed, out,
    tiles, height, width, group_size, negative_slope, low, high,
    kernel_features_n, kernel_features_c, kernel_features_h, kernel_features_w,
    residual_features_n, residual_features_c, residual_features_h, residual_features_w,
    out_n, out_c, out_h, out_w,
    COLORS: tl.constexpr, KERNEL_CHANNELS: tl.constexpr, RESIDUAL_CHANNELS: tl.constexpr,
    K: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BLOCKS: tl.constexpr,
    KERNEL_BLOCK: tl.constexpr, RESIDUAL_BLOCK: tl.constexpr, COLOR_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr, INTERPRETED: tl.constexpr, TILE_H: tl.constexpr, TILE_W: tl.constexpr,
):  # fmt: skip
    # What all tiles need is read once: the residual's weights and those of the first block of taps.
    color = tl.arange(0, COLOR_BLOCK)
    colored = color < COLORS
    residual_weights, residual_biases = load_weight(
        residual_weight, residual_bias, color, colored, RESIDUAL_CHANNELS, RESIDUAL_BLOCK
    )
    i, j = block_of_taps(0, K, ROWS, COLUMNS)
    weights, biases = load_weight(
        kernel_weight, kernel_bias, i * K + j, (i < K) & (j < K), KERNEL_CHANNELS, KERNEL_BLOCK
    )
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        picture, row, column = tile_pixels(tile, height, width, TILE_H, TILE_W)
        inside = (row < height) & (column < width)
        # Of pixels outside the picture those of its last row and column, so that every load is inside.
        first_tap = packed_pixels(picture, tl.minimum(row, height - 1), tl.minimum(column, width - 1), height, width, K)
        n = picture.to(tl.int64)
        at = n * residual_features_n + offsets(row, column, residual_features_h, residual_features_w)
        acc = project(
            residual_features, residual_weight, at, inside, color, colored, residual_weights, residual_biases,
            residual_features_c, RESIDUAL_CHANNELS, RESIDUAL_BLOCK, PRECISION,
        )  # fmt: skip
        acc = leaky_relu(acc, negative_slope)
        at = n * kernel_features_n + offsets(row, column, kernel_features_h, kernel_features_w)
        acc = _add_filtered(
            acc, packed, kernel_features, kernel_weight, at, inside, first_tap, width + K - 1, group_size, i, j,
            weights, biases, kernel_features_c, COLORS, KERNEL_CHANNELS, K, KERNEL_BLOCK, PRECISION, INTERPRETED,
        )  # fmt: skip
        if BLOCKS > 1:
            for block in range(1, BLOCKS):
                y, z = block_of_taps(block, K, ROWS, COLUMNS)
                more_weights, more_biases = load_weight(
                    kernel_weight, kernel_bias, y * K + z, (y < K) & (z < K), KERNEL_CHANNELS, KERNEL_BLOCK
                )
                acc = _add_filtered(
                    acc, packed, kernel_features, kernel_weight, at, inside, first_tap, width + K - 1, group_size,
                    y, z, more_weights, more_biases, kernel_features_c,
                    COLORS, KERNEL_CHANNELS, K, KERNEL_BLOCK, PRECISION, INTERPRETED,
                )  # fmt: skip
        acc = tl.where(acc < low, low, tl.where(acc > high, high, acc))
        at = n * out_n + offsets(row, column, out_h, out_w)
        tl.store(
            out + at[:, None] + color[None, :].to(tl.int64) * out_c,
            acc.to(out.dtype.element_ty),
            mask=inside[:, None] & colored[None, :],
        )


def launch(
    kernel_features: Tensor,
    kernel_weight: Tensor,
    kernel_bias: Tensor | None,
    residual_features: Tensor,
    residual_weight: Tensor,
    residual_bias: Tensor | None,
    image: Tensor,
    kernel_size: int,
    negative_slope: float,
    low: float,
    high: float,
    out_dtype: torch.dtype,
) -> tuple[list[Launch], Tensor]:
    """The kernels' launches, not yet run, and the tensor they write."""
    n, colors, height, width = image.shape
    out = image.new_empty(image.shape, dtype=out_dtype)
    form = precision(kernel_features.dtype, "matmul")
    chosen = CONFIGS[form]
    taps = Taps.of(kernel_size)
    kernel_channels, residual_channels = kernel_features.shape[1], residual_features.shape[1]
    pack, packed = launch_pack(image, kernel_size // 2)
    tiles = n * cdiv(height, chosen.tile_h) * cdiv(width, chosen.tile_w)
    arguments = {
        "kernel_features": kernel_features,
        "kernel_weight": kernel_weight.contiguous(),
        "kernel_bias": kernel_bias,
        "residual_features": residual_features,
        "residual_weight": residual_weight.contiguous(),
        "residual_bias": residual_bias,
        "packed": packed,
        "out": out,
        "tiles": tiles,
        "height": height,
        "width": width,
        "group_size": packed.stride(0) // GROUP,
        "negative_slope": negative_slope,
        "low": low,
        "high": high,
        **strides("kernel_features", kernel_features),
        **strides("residual_features", residual_features),
        **strides("out", out),
        "COLORS": colors,
        "KERNEL_CHANNELS": kernel_channels,
        "RESIDUAL_CHANNELS": residual_channels,
        "K": kernel_size,
        "ROWS": taps.rows,
        "COLUMNS": taps.columns,
        "BLOCKS": taps.blocks,
        "KERNEL_BLOCK": min(chosen.block_k, power_of_two(kernel_channels, 16)),
        "RESIDUAL_BLOCK": min(chosen.block_k, power_of_two(residual_channels, 16)),
        "COLOR_BLOCK": power_of_two(colors, 16),
        "PRECISION": form,
        "INTERPRETED": INTERPRETED,
        "TILE_H": chosen.tile_h,
        "TILE_W": chosen.tile_w,
    }
    programs = persistent_programs(image.device, tiles, chosen.programs)
    head = Launch(drb_head_fwd_kernel, (programs,), arguments, chosen.num_warps, chosen.num_stages)
    return [pack, head], out


def _bounds(low: float | None, high: float | None) -> tuple[float, float]:
    return -math.inf if low is None else low, math.inf if high is None else high


def drb_head(
    kernel_features: Tensor,
    kernel_weight: Tensor,
    kernel_bias: Tensor | None,
    residual_features: Tensor,
    residual_weight: Tensor,
    residual_bias: Tensor | None,
    image: Tensor,
    kernel_size: int,
    negative_slope: float,
    low: float | None,
    high: float | None,
) -> Tensor:
    """The op, as ``lfdeblur_ops.drb_head`` describes it."""
    launches, out = launch(
        kernel_features, kernel_weight, kernel_bias, residual_features, residual_weight, residual_bias,
        image, kernel_size, negative_slope, *_bounds(low, high), image.dtype,
    )  # fmt: skip
    return run(launches, out)


def drb_head_backward(
    grad: Tensor,
    kernel_features: Tensor,
    kernel_weight: Tensor,
    kernel_bias: Tensor | None,
    residual_features: Tensor,
    residual_weight: Tensor,
    residual_bias: Tensor | None,
    image: Tensor,
    kernel_size: int,
    negative_slope: float,
    low: float | None,
    high: float | None,
    need_kernel: bool,
    need_residual: bool,
    need_image: bool,
) -> tuple[Tensor, ...]:
    """Gradients of the seven tensors; of a group that is not needed, empty ones of shape ``[0]``."""
    if grad.numel() == 0:
        kernel = _zeros(kernel_features, kernel_weight, need_kernel)
        residual = _zeros(residual_features, residual_weight, need_residual)
        return *kernel, *residual, image.new_empty(image.shape if need_image else 0)
    least, most = _bounds(low, high)
    if least > -math.inf or most < math.inf:
        # What was clipped has no gradient; the result before the clip is computed once more to know.
        launches, out = launch(
            kernel_features, kernel_weight, kernel_bias, residual_features, residual_weight, residual_bias,
            image, kernel_size, negative_slope, -math.inf, math.inf, torch.float32,
        )  # fmt: skip
        run(launches, out)
        grad = torch.where((out >= least) & (out <= most), grad, 0.0)
    groups: list[Tensor] = []
    if need_kernel:
        groups += backward.kernel_branch(grad, image, kernel_features, kernel_weight, kernel_size)
    else:
        groups += [kernel_features.new_empty(0) for _ in range(3)]
    if need_residual:
        groups += backward.residual_branch(grad, residual_features, residual_weight, residual_bias, negative_slope)
    else:
        groups += [residual_features.new_empty(0) for _ in range(3)]
    if need_image:
        groups.append(backward.of_image(grad, image, kernel_features, kernel_weight, kernel_bias, kernel_size))
    else:
        groups.append(image.new_empty(0))
    return tuple(groups)


def _zeros(features: Tensor, weight: Tensor, need: bool) -> list[Tensor]:
    """Gradients of a branch where no kernel runs: an empty result may have features that are not (no colours)."""
    if not need:
        return [features.new_empty(0) for _ in range(3)]
    grad_features = torch.zeros_like(features, memory_format=torch.channels_last)
    return [grad_features, torch.zeros_like(weight), weight.new_zeros(weight.shape[0])]
