"""The picture as the kernels of ``drb_head`` gather from it: colours side by side, and with its border around it.

Each tap of a pixel is then one load for up to four colours, with nothing to clamp: gathering 49 taps is bound by the
number of instructions. Packing moves about 1/20 of what the head itself moves.
"""

# mypy: disable-error-code="no-untyped-def"

import torch
import triton
import triton.language as tl
from torch import Tensor

from ._device import offsets, tile_pixels
from ._launch import Launch, cdiv, strides

GROUP = 4  # colours
TILE_H, TILE_W = 4, 32
INTERPRETED = triton.knobs.runtime.interpret


@triton.jit(do_not_specialize=["pictures", "height", "width"])
def pack_kernel(
    image, packed, pictures, height, width, image_n, image_c, image_h, image_w,
    CHANNELS: tl.constexpr, RADIUS: tl.constexpr, GROUP: tl.constexpr, TILE_H: tl.constexpr, TILE_W: tl.constexpr,
):  # fmt: skip
    """``[N, C, H, W]`` to ``[C / 4, N, H + 2 * RADIUS, W + 2 * RADIUS, 4]``; missing colours are zero."""
    high, wide = height + 2 * RADIUS, width + 2 * RADIUS
    picture, row, column = tile_pixels(tl.program_id(0), high, wide, TILE_H, TILE_W)
    inside = ((row < high) & (column < wide))[:, None]
    y = tl.minimum(tl.maximum(row - RADIUS, 0), height - 1)
    z = tl.minimum(tl.maximum(column - RADIUS, 0), width - 1)
    group = tl.program_id(1)
    color = group * GROUP + tl.arange(0, GROUP)
    start = image + picture.to(tl.int64) * image_n + offsets(y, z, image_h, image_w)
    values = tl.load(
        start[:, None] + color.to(tl.int64)[None, :] * image_c, mask=inside & (color < CHANNELS)[None, :], other=0.0
    )
    at = (group.to(tl.int64) * pictures + picture) * high * wide + offsets(row, column, wide, 1)
    tl.store(packed + at[:, None] * GROUP + tl.arange(0, GROUP)[None, :], values, mask=inside)


@triton.jit
def _low_half(word, kind: tl.constexpr):
    if kind == tl.bfloat16:
        return (word << 16).to(tl.float32, bitcast=True)
    return word.to(tl.int16).to(kind, bitcast=True).to(tl.float32)


@triton.jit
def _high_half(word, kind: tl.constexpr):
    if kind == tl.bfloat16:
        return (word & -65536).to(tl.float32, bitcast=True)
    return (word >> 16).to(tl.int16).to(kind, bitcast=True).to(tl.float32)


@triton.jit
def load_colors(packed, at, INTERPRETED: tl.constexpr):
    """Four colours, in float32, of each pixel at offsets ``at`` (in pixels).

    As assembler, because ``tl.load`` would choose a layout of its own for its result, and each of the colours would go
    through shared memory to meet the kernels where the tensor cores left them.
    """
    kind: tl.constexpr = packed.dtype.element_ty
    if kind == tl.float32:
        start = packed + at * 4
        if INTERPRETED:
            return tl.load(start), tl.load(start + 1), tl.load(start + 2), tl.load(start + 3)
        return tl.inline_asm_elementwise(
            "ld.global.v4.b32 {$0, $1, $2, $3}, [$4];", "=f,=f,=f,=f,l", [start.to(tl.int64)],
            (tl.float32, tl.float32, tl.float32, tl.float32), True, 1,
        )  # fmt: skip
    else:
        start = packed.to(tl.pointer_type(tl.int64)) + at
        if INTERPRETED:
            words = tl.load(start)
            first, second = words.to(tl.int32), (words >> 32).to(tl.int32)
        else:
            first, second = tl.inline_asm_elementwise(
                "ld.global.v2.b32 {$0, $1}, [$2];", "=r,=r,l", [start.to(tl.int64)], (tl.int32, tl.int32), True, 1
            )
        return _low_half(first, kind), _high_half(first, kind), _low_half(second, kind), _high_half(second, kind)


def launch_pack(image: Tensor, radius: int) -> tuple[Launch, Tensor]:
    """The kernel's launch, not yet run, and the tensor it writes."""
    n, channels, height, width = image.shape
    shape = (cdiv(channels, GROUP), n, height + 2 * radius, width + 2 * radius, GROUP)
    packed = torch.empty(shape, dtype=image.dtype, device=image.device)
    arguments = {
        "image": image,
        "packed": packed,
        "pictures": n,
        "height": height,
        "width": width,
        **strides("image", image),
        "CHANNELS": channels,
        "RADIUS": radius,
        "GROUP": GROUP,
        "TILE_H": TILE_H,
        "TILE_W": TILE_W,
    }
    return Launch(pack_kernel, (n * cdiv(shape[2], TILE_H) * cdiv(shape[3], TILE_W), shape[0]), arguments, 4, 1), packed
