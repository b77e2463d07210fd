"""``refocus`` without the sum, with moments, and with weights per pixel (occlusion), against ``grid_sample`` loops.

The last is the cost volume of light-field depth networks such as OACC-Net: every plane of disparity is a sum of all
views under a mask per view and pixel, forward and backward.
"""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import refocus

from . import _rivals
from ._harness import Case, Sides, differentiated, pytest_case
from .bench_refocus import LYTRO, planes_of

GRID_SAMPLE, UNFOLD = "grid_sample loop", "grid_sample, stacked"
KINDS = ("none", "moments", "masks")


def _grids(planes: list[float], views: int, like: Tensor) -> Iterator[Tensor]:
    """Of each plane the grids of all views, ``[V * U, H, W, 2]``."""
    height, width = like.shape[-2:]
    y, x = (torch.arange(size, dtype=like.dtype, device=like.device) for size in (height, width))
    steps = torch.arange(views, dtype=like.dtype, device=like.device) - (views - 1) / 2
    for d in planes:
        at_y = ((y - d * steps[:, None]) * (2 / (height - 1)) - 1)[:, None, :, None]
        at_x = ((x - d * steps[:, None]) * (2 / (width - 1)) - 1)[None, :, None, :]
        yield torch.stack(torch.broadcast_tensors(at_x, at_y), -1).flatten(0, 1)


def _warped(views: Tensor, grid: Tensor, border: str) -> Tensor:
    padding = {"replicate": "border", "zeros": "zeros"}[border]
    return F.grid_sample(views, grid, padding_mode=padding, align_corners=True)


def loop(light_field: Tensor, masks: Tensor | None, planes: list[float], kind: str, border: str) -> Tensor:
    """View by view, with no more memory than a user needs."""
    side = light_field.shape[0]
    flat = _rivals.as_float(light_field).flatten(0, 1)
    of_views = masks.flatten(0, 1) if masks is not None else [1 / side**2] * side**2
    results = []
    for grids in _grids(planes, side, flat):
        if kind == "none":
            warped = [_warped(view[None], grid[None], border)[0] for view, grid in zip(flat, grids, strict=True)]
            results.append(torch.stack(warped).unflatten(0, (side, side)))
            continue
        total, squares = torch.zeros_like(flat[0]), torch.zeros_like(flat[0])
        for view, grid, weight in zip(flat, grids, of_views, strict=True):
            sample = weight * _warped(view[None], grid[None], border)[0]
            total = total + sample
            if kind == "moments":
                squares = squares + sample * sample / weight
        results.append(torch.stack([total, squares - total.square()]) if kind == "moments" else total)
    return torch.stack(results)


def stacked(light_field: Tensor, masks: Tensor | None, planes: list[float], kind: str, border: str) -> Tensor:
    """All views at once, then the sum over them: what cost volumes are written as."""
    side = light_field.shape[0]
    flat = _rivals.as_float(light_field).flatten(0, 1)
    results = []
    for grids in _grids(planes, side, flat):
        warped = _warped(flat, grids, border)
        if kind == "none":
            results.append(warped.unflatten(0, (side, side)))
        elif kind == "moments":
            results.append(torch.stack(torch.var_mean(warped, 0, correction=0)[::-1]))
        else:
            assert masks is not None
            results.append(torch.einsum("nchw,nhw->chw", warped, masks.flatten(0, 1)))
    return torch.stack(results)


def ours(
    light_field: Tensor, masks: Tensor | None, planes: list[float], kind: str, border: str, backend: str = "auto"
) -> Tensor:
    if kind == "none":
        return refocus(light_field, planes, border=border, reduce="none", backend=backend)
    if kind == "moments":
        return torch.stack(refocus(light_field, planes, border=border, reduce="moments", backend=backend), 1)
    return refocus(light_field, planes, aperture=masks, normalize=False, border=border, backend=backend)


def build(views, shape, count, dtype, device, kind, border, backward):
    generator = torch.Generator().manual_seed(0)
    light_field = torch.rand((views, views, *shape), generator=generator)
    light_field = ((light_field * 255).byte() if dtype == torch.uint8 else light_field.to(dtype)).to(device)
    masks = torch.rand((views, views, *shape[1:]), generator=generator).to(device) if kind == "masks" else None
    planes = planes_of(count)
    given = tuple(tensor for tensor in (light_field, masks) if tensor is not None)
    options = {"planes": planes, "kind": kind, "border": border}

    def side(function, tensors=given, **how):
        def call(light_field, masks=None):
            return function(light_field, masks, **options, **how)

        if not backward:
            return partial(call, *tensors)
        grad = torch.randn(call(*tensors).shape, generator=torch.Generator().manual_seed(1)).to(device)
        return differentiated(call, tensors, grad)

    exact = tuple(_rivals.as_float(tensor).double() for tensor in given)
    rivals = {name: side(function) for name, function in ((GRID_SAMPLE, loop), (UNFOLD, stacked))}
    return Sides(side(ours), rivals, side(ours, exact, backend="reference"))


def case(views, count, dtype, device, kind, *, shape=LYTRO, border="zeros", backward=False, headline=False):
    channels, height, width = shape
    pixels = channels * height * width
    size = torch.empty((), dtype=dtype).element_size()
    written = (
        {"none": views**2, "moments": 2, "masks": 1}[kind] * count * pixels * (size if dtype.is_floating_point else 4)
    )
    passes = 2 if backward else 1
    read = views**2 * (pixels * size + (4 * height * width if kind == "masks" else 0))
    return Case(
        op="refocus",
        shape=f"{views}x{views}x{channels}x{height}x{width} D={count} bilinear {kind} {border}",
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, views, shape, count, dtype, device, kind, border, backward),
        moved=passes * (read + written),
        operations=passes * 2 * 5 * views**2 * count * pixels,  # four taps and a sum
        mode="forward+backward" if backward else "forward",
        headline=headline,
        # Of a float32 variance, the loop's rivals keep five digits.
        tolerance={"rtol": 1e-3, "atol": 1e-4} if kind == "moments" or backward else None,
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module."""
    yield case(9, 1, torch.float32, device, "none", border="replicate", headline=True)
    yield case(9, 1, torch.float32, device, "moments", border="replicate", headline=True)
    yield case(9, 1, torch.uint8, device, "moments", border="replicate")
    cost = (4, 128, 128)  # features of a patch
    for count in (9, 17) if full else (9,):
        yield case(9, count, torch.float32, device, "masks", shape=cost, headline=True)
        yield case(9, count, torch.float32, device, "masks", shape=cost, backward=True)
    if full:
        yield case(9, 9, torch.float32, device, "none", shape=cost)
        yield case(9, 9, torch.float32, device, "moments", shape=cost, border="replicate", backward=True)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_refocus_options(benchmark, kind, backward):
    border = "replicate" if kind == "moments" else "zeros"
    tiny = case(3, 2, torch.float32, "cpu", kind, shape=(2, 9, 14), border=border, backward=backward)
    pytest_case(benchmark, tiny)
