"""Every op once, forward and backward, on small odd shapes: what ``gpu_visit.sh`` runs under compute-sanitizer.

``python -m benchmarks.exercise [kernels|blocks]``: the kernels of ``csrc``, the fused blocks, or both.
"""

import itertools
import sys
from functools import partial
from typing import Any

import torch

from lfdeblur_ops import (
    conv3x3,
    conv_transpose4x4,
    drb_head,
    dynamic_filter,
    dynamic_filter_separable,
    refocus,
    residual_block,
)

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)

GENERAL_FILTERS: tuple[dict[str, Any], ...] = (
    {"dilation": 2, "border": "reflect"},
    {"stride": 2, "interleaved": True},
    {"scale": 2, "normalize": "softmax", "border": "circular"},
    {"dilation": 3, "normalize": "sum", "border": "zeros"},
)


def main(part: str = "", device: str = "cuda") -> None:
    torch.manual_seed(0)
    if part in ("", "kernels"):
        exercise_kernels(device)
    if part in ("", "blocks"):
        exercise_blocks(device)
    if device == "cuda":
        torch.cuda.synchronize()


def exercise_blocks(device: str) -> None:
    """The fused blocks; channels beside their tiles' sizes, pictures of several tiles."""

    for dtype in FLOATS[1:]:
        rand = partial(torch.rand, device=device, dtype=dtype, requires_grad=True)
        for c, o, c2, stride in ((3, 32, 0, 1), (32, 64, 0, 2), (40, 128, 24, 1)):
            x2 = rand(2, c2, 17, 39) if c2 else None
            residual = rand(2, o, -(-17 // stride), -(-39 // stride))
            options = {"activation": "leaky_relu", "residual": residual, "x2": x2, "stride": stride}
            conv3x3(rand(2, c, 17, 39), rand(o, c + c2, 3, 3), rand(o), **options).sum().backward()
        conv_transpose4x4(
            rand(2, 64, 9, 21), rand(64, 32, 4, 4), rand(32), residual=rand(2, 32, 18, 42)
        ).sum().backward()
        for c in (32, 64):
            residual_block(rand(2, c, 19, 35), rand(c, c, 3, 3), rand(c), rand(c, c, 3, 3), rand(c)).sum().backward()
        for k, c in ((3, 16), (7, 64), (7, 40), (9, 128)):
            filters = rand(2, c, 11, 45), rand(k * k, c), rand(k * k)
            added = rand(2, 20, 11, 45), rand(3, 20), rand(3)
            drb_head(*filters, *added, rand(2, 3, 11, 45), k, clip=(-1.0, 1.0)).sum().backward()


def exercise_kernels(device: str) -> None:
    """The kernels of ``csrc``."""
    for dtype, k, per_channel in itertools.product(FLOATS, (1, 3, 5, 7, 9), (False, True)):
        channels = 3 if per_channel else 1
        x = torch.rand(2, 3, 5, 37, device=device, dtype=dtype, requires_grad=True)
        filters = torch.rand(2, channels * k * k, 5, 37, device=device, dtype=dtype, requires_grad=True)
        for layout in (torch.contiguous_format, torch.channels_last):
            dynamic_filter(x, filters.contiguous(memory_format=layout), k).sum().backward()
    for dtype, layout in itertools.product(FLOATS, (torch.contiguous_format, torch.channels_last)):  # several tiles
        x = torch.rand(1, 5, 20, 248, device=device, dtype=dtype, requires_grad=True)
        filters = torch.rand(1, 49, 20, 248, device=device, dtype=dtype).contiguous(memory_format=layout)
        dynamic_filter(x, filters.requires_grad_(), 7).sum().backward()
    for dtype, how in itertools.product(FLOATS, GENERAL_FILTERS):
        x = torch.rand(2, 6, 9, 37, device=device, dtype=dtype, requires_grad=True)
        size = [(extent - 1) // how.get("stride", 1) + 1 for extent in (9, 37)]
        taps = 9 * how.get("scale", 1) ** 2
        filters = torch.rand(2, 2, taps, *size, device=device, dtype=dtype, requires_grad=True)
        dynamic_filter(x, filters, 3, **how).sum().backward()
    for dtype, border in itertools.product(FLOATS, ("replicate", "zeros", "reflect", "circular")):
        x = torch.rand(2, 6, 5, 37, device=device, dtype=dtype, requires_grad=True)
        filters = torch.rand(2, 2, 8, 5, 37, device=device, dtype=dtype, requires_grad=True)
        dynamic_filter_separable(x, filters, (3, 5), border=border).sum().backward()
    maps = torch.linspace(-2, 2, 2 * 7 * 35, device=device).view(2, 7, 35)
    for interpolation, border in itertools.product(("nearest", "bilinear", "bicubic"), ("replicate", "valid")):
        options: dict[str, Any] = {"interpolation": interpolation, "border": border}
        for disparity in (torch.tensor([-1.5, 0.0, 20.0], device=device), maps):
            for dtype in FLOATS:
                views = torch.rand(3, 4, 3, 7, 35, device=device, dtype=dtype, requires_grad=True)
                aperture = torch.rand(2, 3, 4, device=device, requires_grad=True)
                wanted = disparity.clone().requires_grad_()
                refocus(views, wanted, aperture=aperture, **options).sum().backward()
            for dtype in (torch.uint8, torch.uint16):
                refocus(torch.ones(3, 4, 3, 7, 35, dtype=dtype).to(device), disparity, **options)
    for reduce, interpolation in itertools.product(("mean", "none", "moments"), ("nearest", "bilinear", "bicubic")):
        options = {"interpolation": interpolation, "border": "zeros", "reduce": reduce}
        for disparity, dtype in itertools.product((torch.tensor([-1.5, 0.25], device=device), maps), FLOATS):
            views = torch.rand(3, 4, 3, 7, 35, device=device, dtype=dtype, requires_grad=True)
            wanted = disparity.clone().requires_grad_()
            for weights in ((3, 4), (3, 4, 7, 35)):
                aperture = torch.rand(weights, device=device, requires_grad=True)
                out = refocus(views, wanted, aperture=aperture, **options)
                sum(part.sum() for part in (out if isinstance(out, tuple) else (out,))).backward()
    for dtype, step in itertools.product((*FLOATS[1:], torch.uint8, torch.uint16), (0.0625, 9.75)):  # focal stacks
        planes = step * torch.arange(-18.0, 19.0, device=device)
        refocus(torch.ones(2, 3, 1, 47, 141, dtype=dtype).to(device), planes)


if __name__ == "__main__":
    main(*sys.argv[1:])
