"""The kernels of ``dynamic_filter`` that serve every option, run on the CPU, against the float64 reference."""

import pytest
import torch

from lfdeblur_ops import reference
from lfdeblur_ops._filter_forms import BORDERS, Options
from lfdeblur_ops.testing import FLOATS

from .calls import NEEDS_COMPILER, check, random

pytestmark = NEEDS_COMPILER
SHAPE = (2, 6, 7, 11)
CHANNELS_LAST = torch.channels_last
OPTIONS = {
    "plain": Options((3, 3)),
    "one tap": Options((1, 1)),
    "pair": Options((5, 3)),
    "dilation": Options((3, 3), dilation=(2, 3)),
    "stride": Options((3, 5), stride=(2, 3)),
    "stride and dilation": Options((3, 3), dilation=(2, 1), stride=(3, 2), border="reflect"),
    "scale": Options((3, 3), scale=2),
    "scale and valid": Options((3, 3), scale=3, border="valid", normalize="softmax"),
    "stride and valid": Options((3, 5), stride=(2, 2), border="valid"),
    "softmax": Options((3, 3), normalize="softmax", border="zeros"),
    "softmax of dilated taps": Options((3, 5), dilation=(1, 2), stride=(2, 1), normalize="softmax", border="circular"),
    "sum": Options((3, 3), normalize="sum", interleaved=True),
    "sum and scale": Options((5, 5), scale=2, normalize="sum", border="reflect"),
    "interleaved": Options((3, 3), interleaved=True, border="circular"),
}


def filters_of(shape, options, groups, dtype, fine=False, planar=True):
    """``[N, G, T, S, H, W]``, or with neither pixels nor taps side by side."""
    rows, columns = options.positions(shape)
    scale = options.scale
    each, size = (1, (rows * scale, columns * scale)) if fine else (scale**2, (rows, columns))
    filters = random((shape[0], groups, options.taps, each, *size), dtype, seed=1)
    filters = filters.abs() + 0.1 if options.normalize == "sum" else filters
    return filters if planar else filters.transpose(1, -2).contiguous().transpose(1, -2)


def run(kernels, options, groups, dtype, shape=SHAPE, layout=torch.contiguous_format, filters=None, **how):
    x = random(shape, dtype).contiguous(memory_format=layout)
    filters = filters_of(shape, options, groups, dtype, **how) if filters is None else filters
    exact = [t.double().requires_grad_() for t in (x, filters)]
    expected = reference.dynamic_filter(*exact, *options)
    grad = random(expected.shape, dtype, seed=2)
    expected.backward(grad.double())
    where = f"groups {groups} {options}"
    check(kernels.dynamic_filter_general(x, filters, options), expected.detach(), f"out, {where}")
    found = kernels.dynamic_filter_general_backward(grad, x, filters, options)
    for name, got, wide in zip(("grad_x", "grad_filters"), found, exact, strict=True):
        check(got, wide.grad, f"{name}, {where}")


@pytest.mark.parametrize("at_end", [True, False], ids=["end", "begin"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_options(kernels, options, at_end):
    kernels.at_end = at_end
    for groups in (1, 2, 6):
        run(kernels, options, groups, torch.float32)
    run(kernels, options, 1, torch.float64, layout=CHANNELS_LAST, planar=False)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_types_and_borders(kernels, dtype, border):
    options = Options((5, 3), border, dilation=(1, 2), normalize="softmax")
    run(kernels, options, 3, dtype)
    run(kernels, options._replace(normalize="none", dilation=(2, 1)), 6, dtype, shape=(1, 6, 9, 5))


@pytest.mark.parametrize("normalize", ["none", "softmax", "sum"])
def test_filters_of_each_pixel_of_a_larger_result(kernels, normalize):
    for groups in (1, 2):
        run(kernels, Options((3, 3), scale=2, normalize=normalize), groups, torch.float32, fine=True)


def test_channels_beyond_those_in_registers(kernels):
    for channels in (1, 4, 5, 9):
        run(kernels, Options((3, 3), normalize="softmax"), 1, torch.float32, shape=(1, channels, 5, 34))


def test_several_blocks(kernels):
    for shape in ((1, 2, 19, 70), (3, 2, 2, 3), (2, 1, 1, 1)):
        run(kernels, Options((3, 3), dilation=(1, 1), normalize="sum"), 1, torch.float32, shape=shape)


@pytest.mark.parametrize("border", ["reflect", "circular", "replicate"])
def test_border_as_wide_as_it_may_be(kernels, border):
    rows, columns = (3, 4) if border == "circular" else (4, 5)
    run(kernels, Options((7, 9), border), 1, torch.float64, shape=(1, 2, rows, columns))


def test_largest_kernel(kernels):
    run(kernels, Options((51, 51), normalize="softmax"), 1, torch.float64, shape=(1, 2, 3, 4))


def test_huge_and_infinite_logits(kernels):
    options = Options((3, 3), normalize="softmax")
    filters = 1e4 * filters_of(SHAPE, options, 2, torch.float32)
    run(kernels, options, 2, torch.float32, filters=filters)
    filters[:, :, ::2] = -torch.inf
    run(kernels, options, 2, torch.float32, filters=filters)


def test_filters_that_pictures_share(kernels):
    options = Options((3, 3), border="zeros")
    filters = filters_of((1, *SHAPE[1:]), options, 2, torch.float32).expand(2, -1, -1, -1, -1, -1)
    run(kernels, options, 2, torch.float32, filters=filters)


@pytest.mark.parametrize("axis", range(6))
def test_strides_beyond_32_bits(kernels, monkeypatch, axis):
    shape = (2, 4, 3, 4)
    x, options = random(shape, torch.float16), Options((3, 3), scale=2, normalize="softmax")
    filters = filters_of(shape, options, 2, torch.float16)
    grad = random(options.output(shape), torch.float16, seed=2)
    near = kernels.dynamic_filter_general(x, filters, options)
    expected = kernels.dynamic_filter_general_backward(grad, x, filters, options)
    monkeypatch.setattr(kernels, "far", (1, axis))
    check(kernels.dynamic_filter_general(x, filters, options), near)
    monkeypatch.setattr(kernels, "far", (2, axis))
    found = kernels.dynamic_filter_general_backward(grad, x, filters, options)
    for got, want in zip(found, expected, strict=True):
        check(got, want)
    if axis < 4:  # an axis of the picture
        monkeypatch.setattr(kernels, "far", (0, axis))
        check(kernels.dynamic_filter_general(x, filters, options), near)
