"""What the head of a dynamic residual block needs forward and backward: 1x1 convolutions and blocks of taps."""

# mypy: disable-error-code="no-untyped-def"

from typing import NamedTuple

import triton
import triton.language as tl

from ._device import dot, offsets
from ._launch import cdiv, power_of_two


class Taps(NamedTuple):
    """How the ``k * k`` taps lie in blocks of columns."""

    columns: int  # of a kernel's row, a power of two
    rows: int  # of kernels in a block, a power of two
    blocks: int

    @classmethod
    def of(cls, kernel_size: int, most: int = 64) -> "Taps":
        """Blocks of at least 16 columns, which a product needs, and at most ``most``."""
        columns = power_of_two(kernel_size, 4)
        rows = max(min(most // columns, power_of_two(kernel_size)), 16 // columns)
        return cls(columns, rows, cdiv(kernel_size, rows))


@triton.jit
def block_of_taps(block, K: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Row and column in the kernel of each tap of a block; those beyond the kernel are padding."""
    t = tl.arange(0, ROWS * COLUMNS)
    return block * ROWS + t // COLUMNS, t % COLUMNS


@triton.jit
def load_weight(weight, bias, output, used, CHANNELS: tl.constexpr, BLOCK_K: tl.constexpr):
    """First ``BLOCK_K`` rows of the weight ``[channels, outputs]``, and the bias; zero where an output is not used."""
    k = tl.arange(0, BLOCK_K)
    mask = used[None, :] & (k < CHANNELS)[:, None]
    weights = tl.load(weight + output[None, :] * CHANNELS + k[:, None], mask=mask, other=0.0)
    # One return at the end: Triton 3.6 compiles what follows an early one even where it cannot be reached.
    if bias is None:
        biases = tl.zeros(output.shape, tl.float32)
    else:
        biases = tl.load(bias + output, mask=used, other=0.0).to(tl.float32)
    return weights, biases


@triton.jit
def project(
    features, weight, at, inside, output, used, first_weights, biases, features_c,
    CHANNELS: tl.constexpr, BLOCK_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """``features @ weight + bias`` of ``[P]`` pixels at offsets ``at``: ``[P, outputs]`` in float32."""
    k = tl.arange(0, BLOCK_K)
    acc = tl.zeros((at.shape[0], output.shape[0]), tl.float32)
    mask = inside[:, None]
    if CHANNELS < BLOCK_K:
        mask &= (k < CHANNELS)[None, :]
    start = features + at[:, None]
    acc = dot(
        tl.load(start + k.to(tl.int64)[None, :] * features_c, mask=mask, other=0.0), first_weights, acc, PRECISION
    )
    if CHANNELS > BLOCK_K:
        for c in range(BLOCK_K, CHANNELS, BLOCK_K):
            a_mask, b_mask = inside[:, None], used[None, :]
            if CHANNELS % BLOCK_K != 0:
                a_mask &= (c + k < CHANNELS)[None, :]
                b_mask &= (c + k < CHANNELS)[:, None]
            a = tl.load(start + (c + k).to(tl.int64)[None, :] * features_c, mask=a_mask, other=0.0)
            b = tl.load(weight + output[None, :] * CHANNELS + (c + k)[:, None], mask=b_mask, other=0.0)
            acc = dot(a, b, acc, PRECISION)
    return acc + biases[None, :]


@triton.jit
def packed_pixels(picture, row, column, height, width, K: tl.constexpr):
    """Place of the first tap of each pixel in one group of colours of the packed picture, in pixels."""
    wide = width + K - 1
    return picture.to(tl.int64) * (height + K - 1) * wide + offsets(row, column, wide, 1)
