"""Device functions that the kernels share."""

# mypy: disable-error-code="no-untyped-def"

import triton
import triton.language as tl


@triton.jit
def tile_pixels(tile, height, width, TILE_H: tl.constexpr, TILE_W: tl.constexpr):
    """Picture, rows and columns of the pixels of a tile; those of the last tiles may lie outside the picture."""
    across = tl.cdiv(width, TILE_W)
    in_picture = across * tl.cdiv(height, TILE_H)
    at = tile % in_picture
    m = tl.arange(0, TILE_H * TILE_W)
    return tile // in_picture, at // across * TILE_H + m // TILE_W, at % across * TILE_W + m % TILE_W


@triton.jit
def offsets(row, column, stride_h, stride_w):
    """Elements from a picture's start to its pixels, in 64 bits."""
    return row.to(tl.int64) * stride_h + column.to(tl.int64) * stride_w


@triton.jit
def leaky_relu(x, negative_slope):
    return tl.where(x > 0, x, x * negative_slope)


@triton.jit
def dot(a, b, acc, PRECISION: tl.constexpr):
    return tl.dot(a, b, acc, input_precision="tf32" if PRECISION == "tf32" else "ieee")


@triton.jit
def dot_float32(a, b, acc, PRECISION: tl.constexpr):
    """``a @ b + acc`` for float32 ``a``: with 16-bit ``b`` as the sum of two 16-bit numbers, on tensor cores."""
    if b.dtype == tl.float32:
        return dot(a, b, acc, PRECISION)
    if b.dtype == tl.float16:
        # Gradients of a scaled loss go beyond float16's largest number, where high is infinite and low is no number.
        scale = 32768.0 / tl.maximum(tl.max(tl.abs(a)), 32768.0)
        return acc + _dot_in_parts(a * scale, b, tl.zeros_like(acc), PRECISION) / scale
    return _dot_in_parts(a, b, acc, PRECISION)


@triton.jit
def _dot_in_parts(a, b, acc, PRECISION: tl.constexpr):
    high = a.to(b.dtype)
    low = (a - high.to(tl.float32)).to(b.dtype)
    return dot(low, b, dot(high, b, acc, PRECISION), PRECISION)
