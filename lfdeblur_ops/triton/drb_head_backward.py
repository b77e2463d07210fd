"""Gradients of the head of a dynamic residual block; the per-pixel kernels are computed again, tile by tile.

All gradients are deterministic: every sum is formed by one program in a fixed order, or from partial sums that a second
kernel adds up. Three parts, each run only where its gradients are wanted:

* of the kernel branch: the kernels' gradient ``[P, taps]`` is a product of the output's gradient and the picture's
  taps, so the kernels themselves are not needed. Programs walk over many tiles and keep the weights' sums in registers.
* of the residual branch, likewise.
* of the picture: a pixel of it is read by the kernels of all pixels around. A program computes the kernels of a tile
  and of ``k - 1`` pixels around it, leaves them in scratch memory of its own (as ``residual_block`` does), and gathers.
  The kernels are thus computed ``(TILE_H + k - 1) * (TILE_W + k - 1) / (TILE_H * TILE_W)`` times (1.9 for k = 7), and
  the scratch, 25 MB on an H200 for k = 7, does not grow with the picture. The picture is taken as padded by the border
  that the forward pass replicates; the pads' gradients are then folded onto its outermost pixels.
"""

# mypy: disable-error-code="no-untyped-def"

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ._device import dot_float32, offsets, tile_pixels
from ._head import Taps, block_of_taps, load_weight, packed_pixels, project
from ._launch import Launch, cdiv, empty_channels_last, persistent_programs, power_of_two, precision, run, strides
from ._padded_picture import GROUP, INTERPRETED, launch_pack, load_colors


class Config(NamedTuple):
    tile_h: int
    tile_w: int
    block_k: int  # features of a step
    block_c: int  # features whose gradients a program computes
    num_warps: int
    num_stages: int
    programs: int  # on a multiprocessor


# By precision.
CONFIGS = {
    "half": Config(2, 32, 0, 128, 8, 1, 1),
    "tf32": Config(2, 32, 0, 64, 8, 1, 1),
    "ieee": Config(1, 32, 0, 64, 4, 1, 2),
}
# Taps whose gradients a program holds: with plain float32 products the whole of a block is in registers.
MOST_TAPS = {"half": 64, "tf32": 64, "ieee": 16}
RESIDUAL_CONFIGS = {
    "half": Config(2, 32, 64, 128, 8, 2, 1),
    "tf32": Config(2, 32, 32, 64, 8, 2, 1),
    "ieee": Config(1, 32, 16, 64, 4, 2, 2),
}
# The tile is that of the gather; as many kernels are computed at once as ``IMAGE_PIXELS`` says.
IMAGE_CONFIGS = {
    "half": Config(16, 16, 64, 0, 4, 1, 2),
    "tf32": Config(16, 16, 32, 0, 4, 2, 2),
    "ieee": Config(16, 16, 16, 0, 4, 2, 2),
}
IMAGE_PIXELS = 64
FOLD_TILE = (4, 32)


@triton.jit(do_not_specialize=["height", "width", "tiles", "block"])
def drb_head_grad_kernel_kernel(
    grad, packed, features, weight, grad_features, weight_sums, bias_sums, tiles, height, width, group_size, block,
    grad_n, grad_c, grad_h, grad_w,
    features_n, features_c, features_h, features_w,
    grad_features_n, grad_features_c, grad_features_h, grad_features_w,
    COLORS: tl.constexpr, CHANNELS: tl.constexpr, K: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr, INTERPRETED: tl.constexpr,
    TILE_H: tl.constexpr, TILE_W: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Gradients of the kernel branch's features, weight and bias; one block of taps at a time."""
    TAPS: tl.constexpr = ROWS * COLUMNS
    i, j = block_of_taps(block, K, ROWS, COLUMNS)
    used = (i < K) & (j < K)
    t = i * K + j
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    weight_mask = used[:, None] & (c < CHANNELS)[None, :]
    weights = tl.load(weight + t[:, None] * CHANNELS + c[None, :], mask=weight_mask, other=0.0)
    weight_sum = tl.zeros((TAPS, BLOCK_C), tl.float32)
    bias_sum = tl.zeros((TAPS,), tl.float32)
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        picture, row, column = tile_pixels(tile, height, width, TILE_H, TILE_W)
        inside = (row < height) & (column < width)
        n = picture.to(tl.int64)
        first_tap = packed_pixels(picture, tl.minimum(row, height - 1), tl.minimum(column, width - 1), height, width, K)
        taps = first_tap[:, None] + (tl.minimum(i, K - 1) * (width + K - 1) + tl.minimum(j, K - 1))[None, :]
        at_grad = grad + n * grad_n + offsets(row, column, grad_h, grad_w)
        grad_filters = tl.zeros((TILE_H * TILE_W, TAPS), tl.float32)
        for group in tl.static_range(0, COLORS, 4):
            values = load_colors(packed, taps + (group // 4) * group_size, INTERPRETED)
            for color in tl.static_range(4):
                if group + color < COLORS:
                    g = tl.load(at_grad + (group + color) * grad_c, mask=inside, other=0.0)
                    grad_filters += g.to(tl.float32)[:, None] * values[color]
        grad_filters = tl.where(used[None, :] & inside[:, None], grad_filters, 0.0)
        mask = inside[:, None] & (c < CHANNELS)[None, :]
        if grad_features is not None:
            acc = dot_float32(grad_filters, weights, tl.zeros((TILE_H * TILE_W, BLOCK_C), tl.float32), PRECISION)
            at = n * grad_features_n + offsets(row, column, grad_features_h, grad_features_w)
            to = grad_features + at[:, None] + c[None, :].to(tl.int64) * grad_features_c
            if ACCUMULATE:
                acc += tl.load(to, mask=mask, other=0.0)
            tl.store(to, acc.to(grad_features.dtype.element_ty), mask=mask)
        if weight_sums is not None:
            at = n * features_n + offsets(row, column, features_h, features_w)
            values = tl.load(features + at[:, None] + c[None, :].to(tl.int64) * features_c, mask=mask, other=0.0)
            weight_sum = dot_float32(tl.trans(grad_filters), values, weight_sum, PRECISION)
        if bias_sums is not None:
            bias_sum += tl.sum(grad_filters, 0)
    program = tl.program_id(0)
    if weight_sums is not None:
        tl.store(weight_sums + (program * K * K + t)[:, None] * CHANNELS + c[None, :], weight_sum, mask=weight_mask)
    if bias_sums is not None and tl.program_id(1) == 0:
        tl.store(bias_sums + program * K * K + t, bias_sum, mask=used)


@triton.jit(do_not_specialize=["height", "width", "tiles"])
def drb_head_grad_residual_kernel(
    grad, features, weight, bias, grad_features, weight_sums, bias_sums, tiles, height, width, negative_slope,
    grad_n, grad_c, grad_h, grad_w, features_n, features_c, features_h, features_w,
    grad_features_n, grad_features_c, grad_features_h, grad_features_w,
    COLORS: tl.constexpr, CHANNELS: tl.constexpr, COLOR_BLOCK: tl.constexpr, BLOCK_K: tl.constexpr,
    PRECISION: tl.constexpr, TILE_H: tl.constexpr, TILE_W: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Gradients of the residual branch's features, weight and bias."""
    color = tl.arange(0, COLOR_BLOCK)
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    weight_mask = (color < COLORS)[:, None] & (c < CHANNELS)[None, :]
    weights = tl.load(weight + color[:, None] * CHANNELS + c[None, :], mask=weight_mask, other=0.0)
    first_weights, biases = load_weight(weight, bias, color, color < COLORS, CHANNELS, BLOCK_K)
    weight_sum = tl.zeros((COLOR_BLOCK, BLOCK_C), tl.float32)
    bias_sum = tl.zeros((COLOR_BLOCK,), tl.float32)
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        picture, row, column = tile_pixels(tile, height, width, TILE_H, TILE_W)
        inside = (row < height) & (column < width)
        n = picture.to(tl.int64)
        at = n * features_n + offsets(row, column, features_h, features_w)
        residual = project(
            features, weight, at, inside, color, color < COLORS, first_weights, biases,
            features_c, CHANNELS, BLOCK_K, PRECISION,
        )  # fmt: skip
        at_grad = n * grad_n + offsets(row, column, grad_h, grad_w)
        g = tl.load(
            grad + at_grad[:, None] + color[None, :].to(tl.int64) * grad_c,
            mask=inside[:, None] & (color < COLORS)[None, :],
            other=0.0,
        ).to(tl.float32)
        g = tl.where(residual > 0, g, g * negative_slope)
        mask = inside[:, None] & (c < CHANNELS)[None, :]
        if grad_features is not None:
            acc = dot_float32(g, weights, tl.zeros((TILE_H * TILE_W, BLOCK_C), tl.float32), PRECISION)
            to = n * grad_features_n + offsets(row, column, grad_features_h, grad_features_w)
            tl.store(
                grad_features + to[:, None] + c[None, :].to(tl.int64) * grad_features_c,
                acc.to(grad_features.dtype.element_ty),
                mask=mask,
            )
        if weight_sums is not None:
            values = tl.load(features + at[:, None] + c[None, :].to(tl.int64) * features_c, mask=mask, other=0.0)
            weight_sum = dot_float32(tl.trans(g), values, weight_sum, PRECISION)
        if bias_sums is not None:
            bias_sum += tl.sum(g, 0)
    program = tl.program_id(0)
    if weight_sums is not None:
        at_sums = (program * COLORS + color)[:, None] * CHANNELS + c[None, :]
        tl.store(weight_sums + at_sums, weight_sum, mask=weight_mask)
    if bias_sums is not None and tl.program_id(1) == 0:
        tl.store(bias_sums + program * COLORS + color, bias_sum, mask=(color < COLORS))


@triton.jit(do_not_specialize=["height", "width", "tiles"])
def drb_head_grad_padded_image_kernel(
    grad, features, weight, bias, padded, scratch, tiles, height, width,
    grad_n, grad_c, grad_h, grad_w, features_n, features_c, features_h, features_w,
    COLORS: tl.constexpr, CHANNELS: tl.constexpr,
    K: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BLOCKS: tl.constexpr,
    BLOCK_K: tl.constexpr, COLOR_BLOCK: tl.constexpr, PRECISION: tl.constexpr,
    TILE_H: tl.constexpr, TILE_W: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """Gradient ``[N, C, H + k - 1, W + k - 1]`` of the picture padded by its border, in float32."""
    WIDE: tl.constexpr = TILE_W + K - 1
    HALO: tl.constexpr = (TILE_H + K - 1) * WIDE
    padded_h, padded_w = height + K - 1, width + K - 1
    across = tl.cdiv(padded_w, TILE_W)
    in_picture = across * tl.cdiv(padded_h, TILE_H)
    color = tl.arange(0, COLOR_BLOCK)
    mine = scratch + tl.program_id(0).to(tl.int64) * (K * K * HALO)  # laid out [k, k, HALO]
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        n = (tile // in_picture).to(tl.int64)
        # Tap (i, j) of pixel (y, x) reads pixel (y + i, x + j) of the padded picture.
        top = tile % in_picture // across * TILE_H - (K - 1)
        left = tile % across * TILE_W - (K - 1)
        for first in range(0, HALO, BLOCK_M):
            m = first + tl.arange(0, BLOCK_M)
            row, column = top + m // WIDE, left + m % WIDE
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            at = n * features_n + offsets(row, column, features_h, features_w)
            for block in range(BLOCKS):
                i, j = block_of_taps(block, K, ROWS, COLUMNS)
                used = (i < K) & (j < K)
                identity = tl.where((i == K // 2) & (j == K // 2), 1.0, 0.0)
                weights, biases = load_weight(weight, bias, i * K + j, used, CHANNELS, BLOCK_K)
                filters = project(
                    features, weight, at, inside, i * K + j, used, weights, biases,
                    features_c, CHANNELS, BLOCK_K, PRECISION,
                ) + identity[None, :]  # fmt: skip
                tl.store(
                    mine + m[:, None] + ((i * K + j) * HALO)[None, :],
                    tl.where(inside[:, None], filters, 0.0),
                    mask=(m < HALO)[:, None] & used[None, :],
                )
        tl.debug_barrier()
        for first in range(0, TILE_H * TILE_W, BLOCK_M):
            m = first + tl.arange(0, BLOCK_M)
            row, column = m // TILE_W + K - 1, m % TILE_W + K - 1  # in the tile with its surroundings
            acc = tl.zeros((BLOCK_M, COLOR_BLOCK), tl.float32)
            for t in range(0, K * K):
                y = row - t // K
                z = column - t % K
                values = tl.load(mine + t * HALO + y * WIDE + z)
                y += top
                z += left
                inside = (y >= 0) & (y < height) & (z >= 0) & (z < width)
                at = n * grad_n + offsets(y, z, grad_h, grad_w)
                g = tl.load(
                    grad + at[:, None] + color[None, :].to(tl.int64) * grad_c,
                    mask=inside[:, None] & (color < COLORS)[None, :],
                    other=0.0,
                )
                acc += values[:, None] * g.to(tl.float32)
            y = row + top
            z = column + left
            at = ((n * COLORS + color)[None, :] * padded_h + y[:, None]) * padded_w + z[:, None]
            mask = ((y < padded_h) & (z < padded_w))[:, None] & (color < COLORS)[None, :]
            tl.store(padded + at, acc, mask=mask)
        tl.debug_barrier()


@triton.jit(do_not_specialize=["height", "width"])
def drb_head_fold_kernel(
    padded, grad_image, height, width, K: tl.constexpr, TILE_H: tl.constexpr, TILE_W: tl.constexpr
):
    """What lies on the border of ``padded`` is added to the pixel that the border repeats."""
    R: tl.constexpr = K // 2
    plane, row, column = tile_pixels(tl.program_id(0), height, width, TILE_H, TILE_W)
    inside = (row < height) & (column < width)
    # The first and last pixel of a line also stand for the R pixels before and after it.
    top = tl.where(row == 0, 0, row + R)
    down = tl.where(row == height - 1, row + 2 * R, row + R) - top
    left = tl.where(column == 0, 0, column + R)
    right = tl.where(column == width - 1, column + 2 * R, column + R) - left
    start = padded + plane.to(tl.int64) * (height + 2 * R) * (width + 2 * R) + offsets(top, left, width + 2 * R, 1)
    acc = tl.zeros((TILE_H * TILE_W,), tl.float32)
    for i in range(0, tl.max(tl.where(inside, down, 0)) + 1):
        for j in range(0, tl.max(tl.where(inside, right, 0)) + 1):
            folded = inside & (i <= down) & (j <= right)
            acc += tl.load(start + i * (width + 2 * R) + j, mask=folded, other=0.0)
    at = plane.to(tl.int64) * height * width + offsets(row, column, width, 1)
    tl.store(grad_image + at, acc.to(grad_image.dtype.element_ty), mask=inside)


def launch_kernel_branch(
    grad: Tensor, image: Tensor, features: Tensor, weight: Tensor, kernel_size: int
) -> tuple[list[Launch], Tensor, Tensor, Tensor]:
    """The launches, and what they write: gradient of the features, partial sums of those of weight and bias.

    Of more than one block of taps each adds its part to the features' gradient, which is then float32.
    """
    n, colors, height, width = image.shape
    form = precision(features.dtype, "matmul")
    taps, channels = Taps.of(kernel_size, MOST_TAPS[form]), features.shape[1]
    chosen = CONFIGS[form]
    tiles = n * cdiv(height, chosen.tile_h) * cdiv(width, chosen.tile_w)
    programs = persistent_programs(image.device, tiles, chosen.programs)
    block_c = min(chosen.block_c, power_of_two(channels, 16))
    pack, packed = launch_pack(image, kernel_size // 2)
    sums_dtype = features.dtype if taps.blocks == 1 else torch.float32
    grad_features = empty_channels_last(features, channels, height, width, sums_dtype)
    weight_sums = torch.empty((programs, kernel_size**2, channels), dtype=torch.float32, device=image.device)
    bias_sums = torch.empty((programs, kernel_size**2), dtype=torch.float32, device=image.device)
    arguments = {
        "grad": grad,
        "packed": packed,
        "features": features,
        "weight": weight.contiguous(),
        "grad_features": grad_features,
        "weight_sums": weight_sums,
        "bias_sums": bias_sums,
        "tiles": tiles,
        "height": height,
        "width": width,
        "group_size": packed.stride(0) // GROUP,
        **strides("grad", grad),
        **strides("features", features),
        **strides("grad_features", grad_features),
        "COLORS": colors,
        "CHANNELS": channels,
        "K": kernel_size,
        "ROWS": taps.rows,
        "COLUMNS": taps.columns,
        "PRECISION": form,
        "INTERPRETED": INTERPRETED,
        "TILE_H": chosen.tile_h,
        "TILE_W": chosen.tile_w,
        "BLOCK_C": block_c,
    }
    grid = (programs, cdiv(channels, block_c))
    blocks = [
        Launch(
            drb_head_grad_kernel_kernel,
            grid,
            arguments | {"block": block, "ACCUMULATE": block > 0},
            chosen.num_warps,
            chosen.num_stages,
        )
        for block in range(taps.blocks)
    ]
    return [pack, *blocks], grad_features, weight_sums, bias_sums


def kernel_branch(
    grad: Tensor, image: Tensor, features: Tensor, weight: Tensor, kernel_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the kernel branch's features, weight and bias."""
    launches, grad_features, weight_sums, bias_sums = launch_kernel_branch(grad, image, features, weight, kernel_size)
    run(launches, image)
    dtype = features.dtype
    return grad_features.to(dtype), weight_sums.sum(0).to(dtype), bias_sums.sum(0).to(dtype)


def launch_residual_branch(
    grad: Tensor, features: Tensor, weight: Tensor, bias: Tensor | None, negative_slope: float
) -> tuple[Launch, Tensor, Tensor, Tensor]:
    """The launch, and what it writes: gradient of the features, partial sums of those of weight and bias."""
    n, colors, height, width = grad.shape
    form, channels = precision(features.dtype, "matmul"), features.shape[1]
    chosen = RESIDUAL_CONFIGS[form]
    tiles = n * cdiv(height, chosen.tile_h) * cdiv(width, chosen.tile_w)
    programs = persistent_programs(features.device, tiles, chosen.programs)
    block_c = min(chosen.block_c, power_of_two(channels, 16))
    grad_features = empty_channels_last(features, channels, height, width)
    weight_sums = torch.empty((programs, colors, channels), dtype=torch.float32, device=features.device)
    bias_sums = torch.empty((programs, colors), dtype=torch.float32, device=features.device)
    arguments = {
        "grad": grad,
        "features": features,
        "weight": weight.contiguous(),
        "bias": bias,
        "grad_features": grad_features,
        "weight_sums": weight_sums,
        "bias_sums": bias_sums,
        "tiles": tiles,
        "height": height,
        "width": width,
        "negative_slope": negative_slope,
        **strides("grad", grad),
        **strides("features", features),
        **strides("grad_features", grad_features),
        "COLORS": colors,
        "CHANNELS": channels,
        "COLOR_BLOCK": power_of_two(colors, 16),
        "BLOCK_K": min(chosen.block_k, power_of_two(channels, 16)),
        "PRECISION": form,
        "TILE_H": chosen.tile_h,
        "TILE_W": chosen.tile_w,
        "BLOCK_C": block_c,
    }
    grid = (programs, cdiv(channels, block_c))
    launch = Launch(drb_head_grad_residual_kernel, grid, arguments, chosen.num_warps, chosen.num_stages)
    return launch, grad_features, weight_sums, bias_sums


def residual_branch(
    grad: Tensor, features: Tensor, weight: Tensor, bias: Tensor | None, negative_slope: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the residual branch's features, weight and bias."""
    launch, grad_features, weight_sums, bias_sums = launch_residual_branch(grad, features, weight, bias, negative_slope)
    run([launch], grad)
    return grad_features, weight_sums.sum(0).to(features.dtype), bias_sums.sum(0).to(features.dtype)


def launch_image(
    grad: Tensor, image: Tensor, features: Tensor, weight: Tensor, bias: Tensor | None, kernel_size: int
) -> tuple[list[Launch], Tensor]:
    """The launches, and the gradient of the picture."""
    n, colors, height, width = grad.shape
    form = precision(features.dtype, "matmul")
    taps, channels = Taps.of(kernel_size), features.shape[1]
    chosen = IMAGE_CONFIGS[form]
    border = kernel_size - 1
    tiles = n * cdiv(height + border, chosen.tile_h) * cdiv(width + border, chosen.tile_w)
    programs = persistent_programs(features.device, tiles, chosen.programs)
    padded = features.new_empty((n, colors, height + border, width + border), dtype=torch.float32)
    halo = (chosen.tile_h + border) * (chosen.tile_w + border)
    arguments = {
        "grad": grad,
        "features": features,
        "weight": weight.contiguous(),
        "bias": bias,
        "padded": padded,
        "scratch": features.new_empty(programs * kernel_size**2 * halo, dtype=torch.float32),
        "tiles": tiles,
        "height": height,
        "width": width,
        **strides("grad", grad),
        **strides("features", features),
        "COLORS": colors,
        "CHANNELS": channels,
        "K": kernel_size,
        "ROWS": taps.rows,
        "COLUMNS": taps.columns,
        "BLOCKS": taps.blocks,
        "BLOCK_K": min(chosen.block_k, power_of_two(channels, 16)),
        "COLOR_BLOCK": power_of_two(colors),
        "PRECISION": form,
        "TILE_H": chosen.tile_h,
        "TILE_W": chosen.tile_w,
        "BLOCK_M": IMAGE_PIXELS,
    }
    spread = Launch(drb_head_grad_padded_image_kernel, (programs,), arguments, chosen.num_warps, chosen.num_stages)
    grad_image = image.new_empty(image.shape)
    fold = {
        "padded": padded,
        "grad_image": grad_image,
        "height": height,
        "width": width,
        "K": kernel_size,
        "TILE_H": FOLD_TILE[0],
        "TILE_W": FOLD_TILE[1],
    }
    grid = (n * colors * cdiv(height, FOLD_TILE[0]) * cdiv(width, FOLD_TILE[1]),)
    return [spread, Launch(drb_head_fold_kernel, grid, fold, 4, 1)], grad_image


def of_image(
    grad: Tensor, image: Tensor, features: Tensor, weight: Tensor, bias: Tensor | None, kernel_size: int
) -> Tensor:
    """Gradient of the picture."""
    return run(*launch_image(grad, image, features, weight, bias, kernel_size))
