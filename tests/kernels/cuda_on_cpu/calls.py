"""Calls of the CUDA kernels on a CPU, with the results that they must have."""

import shutil

import pytest
import torch

from lfdeblur_ops import reference
from lfdeblur_ops.testing import TOL

NEEDS_COMPILER = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ on this machine")
INTEGERS = (torch.uint8, torch.uint16)
BORDERS = {"filter": ["replicate", "zeros"], "refocus": ["replicate", "valid"]}


def random(shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    if dtype in INTEGERS:
        return torch.randint(0, torch.iinfo(dtype).max + 1, shape, generator=generator).to(dtype)
    return torch.rand(shape, generator=generator, dtype=torch.float64).sub(0.4).to(dtype)


def check(actual, expected, name=""):
    expected = expected.to(actual.dtype)
    torch.testing.assert_close(actual, expected, **TOL[actual.dtype], msg=lambda m: f"{name}: {m}")


def borders_and_pages(op):
    """Each border with buffers that end, and that begin, at a page which must not be touched; half of them are slow."""
    first, second = BORDERS[op]
    quick = ((first, True), (second, False))
    return pytest.mark.parametrize(
        ("border", "at_end"),
        [
            pytest.param(
                border,
                at_end,
                id=f"{border}-{'end' if at_end else 'begin'}",
                marks=() if (border, at_end) in quick else pytest.mark.slow,
            )
            for border in (first, second)
            for at_end in (True, False)
        ],
    )


def filters_for(shape, k, shared, layout, dtype):
    n, channels, height, width = shape
    planes = k * k * (1 if shared else channels)
    filters = random((n, planes, height, width), dtype, seed=1)
    if layout == "channels_last":
        return filters.contiguous(memory_format=torch.channels_last)
    if layout == "sliced":  # rows, planes and pictures side by side with room between
        wider = random((n, planes + 1, height + 1, -(-width // 16) * 16 + 16), dtype, seed=1)
        return wider[:, :planes, :height, :width]
    if layout == "strided":  # neither pixels nor taps side by side
        return filters.transpose(2, 3).contiguous().transpose(2, 3)
    return filters


def run_filter(kernels, shape, k, shared, layout, border, dtype):
    x, grad = random(shape, dtype), random(shape, dtype, seed=2)
    filters = filters_for(shape, k, shared, layout, dtype)
    exact_x, exact_filters = x.double().requires_grad_(), filters.double().requires_grad_()
    expected = reference.dynamic_filter(exact_x, exact_filters, k, border)
    expected.backward(grad.double())
    where = f"shape {shape} k {k} shared {shared}"
    check(kernels.dynamic_filter(x, filters, k, border), expected.detach(), f"out, {where}")
    grad_x, grad_filters = kernels.dynamic_filter_backward(grad, x, filters, k, border)
    check(grad_x, exact_x.grad, f"grad_x, {where}")
    check(grad_filters, exact_filters.grad, f"grad_filters, {where}")


def apertures(count, rows, columns):
    weights = 0.1 + torch.rand((count, rows, columns), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    if rows * columns > 1:
        weights[0, 0, 0] = 0
    return weights / weights.sum((1, 2), keepdim=True)


def map_of(planes, height, width):
    steps = torch.randint(-30, 31, (planes, height, width), generator=torch.Generator().manual_seed(4))
    return steps.double() / 8


def run_refocus(kernels, light_field, disparity, aperture, *options, gradients=True):
    """``options`` as the operator takes them: interpolation, border, normalize, cubic_coefficient, reduce."""
    dtype = light_field.dtype
    sum_dtype = torch.float64 if dtype == torch.float64 else torch.float32
    disparity, aperture = disparity.to(sum_dtype), aperture.to(sum_dtype)
    height, width = light_field.shape[-2:]
    # The reference takes a map always, and so tells the disparity's gradient per pixel.
    spread = disparity[:, None, None].expand(-1, height, width) if disparity.dim() == 1 else disparity
    scale = 1 if dtype.is_floating_point else torch.iinfo(dtype).max
    exact = [t.double().clone().requires_grad_() for t in (light_field.double() / scale, spread, aperture)]
    expected = reference.refocus(*exact, *options)
    where = (
        f"{tuple(light_field.shape)}, disparity {tuple(disparity.shape)}, aperture {tuple(aperture.shape)}, {options}"
    )
    check(kernels.refocus(light_field, disparity, aperture, *options), expected.detach(), f"out, {where}")
    if not gradients:
        return
    grad = random(expected.shape, sum_dtype, seed=5)
    expected.backward(grad.double())
    out = expected.detach().to(sum_dtype)
    results = kernels.refocus_backward(grad, out, light_field, disparity, aperture, *options)
    for name, actual, of in zip(("light_field", "disparity", "aperture"), results, exact, strict=True):
        if actual is not None:
            gradient = torch.zeros_like(of) if of.grad is None else of.grad
            # Rounding grows like the root of the number of terms: an aperture's gradient sums over all pixels.
            terms = grad.numel() ** 0.5 if name == "aperture" else 1
            check(actual / terms, gradient / terms, f"grad of {name}, {where}")
