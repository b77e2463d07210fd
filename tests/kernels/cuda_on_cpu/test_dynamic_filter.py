"""The kernels of ``dynamic_filter``, run on the CPU, against the float64 reference."""

import pytest
import torch

from lfdeblur_ops import reference
from lfdeblur_ops.testing import FLOATS

from .calls import BORDERS, NEEDS_COMPILER, borders_and_pages, check, filters_for, random, run_filter

pytestmark = NEEDS_COMPILER
FILTER_SHAPES = [(1, 1, 1, 1), (2, 3, 5, 7), (1, 6, 10, 72), (1, 2, 19, 65)]


@borders_and_pages("filter")
@pytest.mark.parametrize("layout", ["planar", "channels_last", "strided"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_dynamic_filter(kernels, dtype, layout, border, at_end):
    kernels.at_end = at_end
    for k in (1, 3, 5, 7, 9):
        for shape in FILTER_SHAPES if k in (3, 9) else FILTER_SHAPES[:3]:
            run_filter(kernels, shape, k, shape[1] != 2, layout, border, dtype)


@pytest.mark.parametrize("at_end", [True, False], ids=["end", "begin"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_dynamic_filter_beside_the_widest_loads(kernels, dtype, at_end):
    """All that keeps 16-byte loads from being used, one at a time: widths, strides, addresses."""
    kernels.at_end = at_end
    run_filter(kernels, (1, 3, 1, 7), 1, True, "planar", "replicate", dtype)
    for shape in ((2, 3, 5, 13), (2, 3, 5, 24)):
        run_filter(kernels, shape, 3, shape[3] == 24, "sliced", "zeros", dtype)
    x, grad = random((2, 2, 3, 16), dtype), random((2, 2, 3, 16), dtype, seed=2)
    planes = random((2, 9, 3, 16), dtype, seed=1)
    apart = [
        torch.empty_strided(planes.shape, strides, dtype=dtype).copy_(planes)
        for strides in ((18 * 48 + 1, 48, 16, 1), (18 * 64, 49, 16, 1), (18 * 64, 64, 17, 1))
    ]
    for filters in (planes, *apart):
        expected = kernels.dynamic_filter(x, filters, 3, "zeros")
        gradients = kernels.dynamic_filter_backward(grad, x, filters, 3, "zeros")
        check(expected, reference.dynamic_filter(x.double(), planes.double(), 3, "zeros"))
        for misplaced in range(5):
            kernels.misplaced = misplaced
            check(kernels.dynamic_filter(x, filters, 3, "zeros"), expected)
            for got, want in zip(kernels.dynamic_filter_backward(grad, x, filters, 3, "zeros"), gradients, strict=True):
                check(got, want)
        kernels.misplaced = None


@pytest.mark.parametrize("layout", ["planar", "channels_last"])
@pytest.mark.parametrize("axis", range(4))
def test_dynamic_filter_strides_beyond_32_bits(kernels, monkeypatch, layout, axis):
    for shape in ((2, 2, 2, 16), (2, 2, 2, 5)):
        x, grad = random(shape, torch.float16), random(shape, torch.float16, seed=2)
        filters = filters_for(shape, 3, False, layout, torch.float16)
        monkeypatch.setattr(kernels, "far", (1, axis))
        out = kernels.dynamic_filter(x, filters, 3, "replicate")
        monkeypatch.setattr(kernels, "far", (2, axis))
        far = kernels.dynamic_filter_backward(grad, x, filters, 3, "replicate")
        monkeypatch.setattr(kernels, "far", None)
        check(out, kernels.dynamic_filter(x, filters, 3, "replicate"))
        for got, want in zip(far, kernels.dynamic_filter_backward(grad, x, filters, 3, "replicate"), strict=True):
            check(got, want)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per channel"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_dynamic_filter_largest_kernel(kernels, dtype, shared):
    for layout in ("planar", "channels_last"):
        run_filter(kernels, (1, 5, 6, 40), 15, shared, layout, "replicate", dtype)


@pytest.mark.parametrize("border", BORDERS["filter"])
@pytest.mark.parametrize("layout", ["planar", "channels_last"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_dynamic_filter_several_tiles(kernels, dtype, layout, border):
    for k in (5, 7):
        run_filter(kernels, (1, 5, 35, 256), k, True, layout, border, dtype)
    run_filter(kernels, (2, 1, 2, 264), 7, True, layout, border, dtype)  # fewer rows than a kernel has
    # A strip of columns with neighbours on both sides, rows of filters of every alignment.
    run_filter(kernels, (1, 1, 5, 401), 7, True, layout, border, dtype)


def test_dynamic_filter_outside_taps_have_no_gradient(kernels):
    x, filters = random((1, 3, 4, 8), torch.float32), random((1, 25, 4, 8), torch.float32)
    _, grad = kernels.dynamic_filter_backward(x, x, filters, 5, "zeros")
    taps = grad.view(5, 5, 4, 8)
    assert (taps[:2, :, 0] == 0).all()
    assert (taps[:, 3:, :, -1] == 0).all()
    assert (taps[2, 2] != 0).all()


def test_dynamic_filter_one_gradient_alone(kernels):
    x, filters = random((1, 3, 4, 8), torch.float32), random((1, 9, 4, 8), torch.float32)
    both = kernels.dynamic_filter_backward(x, x, filters, 3, "replicate")
    for i in (0, 1):
        one = kernels.dynamic_filter_backward(x, x, filters, 3, "replicate", need_x=i == 0, need_filters=i == 1)
        assert torch.equal(one[i], both[i])
        assert one[1 - i] is None
