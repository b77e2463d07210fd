"""The kernels of ``dynamic_filter_separable``, run on the CPU, against the float64 reference."""

import pytest
import torch

from lfdeblur_ops import reference
from lfdeblur_ops._filter_forms import BORDERS, SeparableOptions
from lfdeblur_ops.testing import FLOATS

from .calls import NEEDS_COMPILER, check, random

pytestmark = NEEDS_COMPILER
SHAPE = (2, 6, 7, 11)


def filters_of(shape, options, groups, dtype, planar=True):
    """``[N, G, kh + kw, 1, H, W]``, or with neither pixels nor taps side by side."""
    filters = random((shape[0], groups, options.taps, 1, *options.positions(shape)), dtype, seed=1)
    return filters if planar else filters.transpose(1, -2).contiguous().transpose(1, -2)


def run(kernels, options, groups, dtype, shape=SHAPE, layout=torch.contiguous_format, planar=True):
    x = random(shape, dtype).contiguous(memory_format=layout)
    filters = filters_of(shape, options, groups, dtype, planar)
    exact = [t.double().requires_grad_() for t in (x, filters)]
    expected = reference.dynamic_filter_separable(*exact, *options[:3])
    grad = random(expected.shape, dtype, seed=2)
    expected.backward(grad.double())
    where = f"groups {groups} {options}"
    check(kernels.dynamic_filter_separable(x, filters, options), expected.detach(), f"out, {where}")
    found = kernels.dynamic_filter_separable_backward(grad, x, filters, options)
    for name, got, wide in zip(("grad_x", "grad_filters"), found, exact, strict=True):
        check(got, wide.grad, f"{name}, {where}")


@pytest.mark.parametrize("at_end", [True, False], ids=["end", "begin"])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_types_and_borders(kernels, dtype, border, at_end):
    kernels.at_end = at_end
    for groups, size, dilation in ((1, (3, 5), (2, 1)), (2, (5, 1), (1, 2)), (6, (1, 3), (1, 1))):
        run(kernels, SeparableOptions(size, border, dilation), groups, dtype)


def test_layouts(kernels):
    options = SeparableOptions((3, 5))
    run(kernels, options, 2, torch.float64, layout=torch.channels_last)
    run(kernels, options, 2, torch.float64, planar=False)


def test_several_blocks_and_the_largest_kernel(kernels):
    for shape in ((1, 5, 19, 70), (3, 1, 2, 3), (2, 1, 1, 1)):
        run(kernels, SeparableOptions((3, 3)), 1, torch.float32, shape=shape)
    run(kernels, SeparableOptions((51, 51)), 1, torch.float64, shape=(1, 2, 3, 4))


@pytest.mark.parametrize("axis", [0, 1, 2, 4, 5])
def test_strides_beyond_32_bits(kernels, monkeypatch, axis):
    shape = (2, 4, 3, 4)
    x, options = random(shape, torch.float16), SeparableOptions((3, 3))
    filters, grad = filters_of(shape, options, 2, torch.float16), random(shape, torch.float16, seed=2)
    near = kernels.dynamic_filter_separable(x, filters, options)
    expected = kernels.dynamic_filter_separable_backward(grad, x, filters, options)
    monkeypatch.setattr(kernels, "far", (1, axis))
    check(kernels.dynamic_filter_separable(x, filters, options), near)
    monkeypatch.setattr(kernels, "far", (2, axis))
    found = kernels.dynamic_filter_separable_backward(grad, x, filters, options)
    for got, want in zip(found, expected, strict=True):
        check(got, want)
