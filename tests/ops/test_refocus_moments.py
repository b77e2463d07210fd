"""Mean and variance over the views of ``refocus`` for planes, which the CPU has a kernel of its own for."""

import itertools

import pytest
import torch

from lfdeblur_ops import refocus
from lfdeblur_ops.testing import FLOATS, TOL

from .light_fields import INTEGERS, views

PLANES = torch.tensor([0.0, 1.0, -0.625, 2.875, -60.25], dtype=torch.float64)  # dyadic: all back ends jump alike
# Rows of less than a vector, of some and of one more; heights that are no multiple of the rows taken at once.
SHAPES = [
    (1, 1, 1, 1, 1, 1),
    (2, 3, 2, 2, 3, 7),
    (1, 1, 4, 1, 9, 16),
    (1, 5, 3, 3, 6, 33),
    (2, 2, 5, 1, 5, 131),
    (1, 3, 3, 1, 70, 2),
]


def exact(light_field):
    """The stored values in float64, scaled as the op scales them."""
    dtype = light_field.dtype
    return light_field.double() / torch.iinfo(dtype).max if dtype in INTEGERS else light_field.double()


def weights_of(count, rows, columns, device):
    generator = torch.Generator().manual_seed(4)
    weights = torch.rand((count, rows, columns), generator=generator) + 0.05
    weights[:, :, 0] *= torch.arange(count)[:, None] % 2  # of every other aperture a whole column is closed
    weights[:, -1, -1] = 2
    return weights.to(device)


def assert_moments(out, expected):
    for ours, theirs in zip(out, expected, strict=True):
        torch.testing.assert_close(ours, theirs.to(ours.dtype), **TOL[ours.dtype])
    assert (out[1] >= 0).all()


@pytest.mark.parametrize("border", ["replicate", "zeros", "valid"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_matches_float64_reference(backend, device, dtype, interpolation, border):
    options = {"interpolation": interpolation, "border": border, "reduce": "moments"}
    for shape in SHAPES:
        light_field, weights = views(shape, dtype, device), weights_of(2, *shape[1:3], device)
        weights = weights.double() if dtype == torch.float64 else weights
        out = refocus(light_field, PLANES.to(device), aperture=weights, backend=backend, **options)
        wide = (exact(light_field), PLANES.to(device))
        assert_moments(out, refocus(*wide, aperture=weights.double(), backend="reference", **options))


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8], ids=str)
def test_number_of_apertures(backend, device, dtype):
    """Of few each for itself, of many all at once."""
    light_field, weights = views((1, 3, 4, 2, 6, 37), dtype, device), weights_of(7, 3, 4, device)
    for count, border in itertools.product((1, 4, 5, 7), ("replicate", "zeros")):
        options = {"border": border, "reduce": "moments", "aperture": weights[:count]}
        out = refocus(light_field, [0.375, -1.5], backend=backend, **options)
        assert_moments(out, refocus(exact(light_field), [0.375, -1.5], backend="reference", **options))
        for a in range(count):
            one = refocus(light_field, -1.5, backend=backend, **options | {"aperture": weights[a]})
            assert_moments(one, [part[:, a, 1] for part in out])


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_views_of_weight_0_are_not_there(backend, device, interpolation):
    light_field = views((5, 7, 2, 9, 40), torch.float32, device)
    weights = torch.zeros(5, 7, device=device)
    weights[1:4, 2:5] = torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.5, 2.0], [0.0, 1.0, 0.0]], device=device)
    options = {"interpolation": interpolation, "reduce": "moments", "backend": backend}
    out = refocus(light_field, 0.75, aperture=weights, **options)
    assert_moments(out, refocus(light_field[1:4, 2:5], 0.75, aperture=weights[1:4, 2:5], **options))


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint16], ids=str)
def test_variance_of_one_view_is_0(backend, device, dtype):
    light_field, weights = views((3, 3, 2, 7, 50), dtype, device), torch.zeros(3, 3, device=device)
    weights[0, 2] = 0.3
    for disparity in (0.0, 0.3, -2.2):
        mean, variance = refocus(light_field, disparity, aperture=weights, reduce="moments", backend=backend)
        assert_moments((mean, variance), (refocus(light_field, disparity, aperture=weights), torch.zeros_like(mean)))
        assert variance.max() < 1e-13  # roundings of deviations, squared


@pytest.mark.parametrize("hidden", ["none", "heaviest", "lightest", "half"])
def test_variance_of_bright_pixels(backend, device, hidden):
    """Of values around 1 that differ by a thousandth, and of such beside views that see something dark."""
    generator = torch.Generator().manual_seed(2)
    noise = 1e-3 * torch.randn((9, 9, 1, 6, 40), generator=generator, dtype=torch.float64)
    light_field = (1 + noise).float()
    weights = torch.rand((9, 9), generator=generator) + 0.1
    weights[3, 4], weights[6, 2] = 1.5, 1e-3
    if hidden == "half":
        light_field[:, :4] = 0
    elif hidden != "none":
        light_field[{"heaviest": (3, 4), "lightest": (6, 2)}[hidden]] = 0
    light_field, weights = light_field.to(device), weights.to(device)
    for d in (0.25, 0.0):
        _, variance = refocus(light_field, d, aperture=weights, reduce="moments", backend=backend)
        wide = {"aperture": weights.double(), "reduce": "moments", "backend": "reference"}
        _, expected = refocus(light_field.double(), d, **wide)
        # A sample of 1 is rounded to 6e-8, which is 2e-4 of the deviations.
        torch.testing.assert_close(variance.double(), expected, rtol=5e-4, atol=0)


def test_strided_light_fields(backend, device):
    whole = views((2, 7, 7, 20, 3, 53), torch.uint8, device)
    crop = whole.transpose(3, 4)[:, 1:6, ::2, :, 3:17, 4:50]
    for border in ("replicate", "zeros"):
        options = {"reduce": "moments", "border": border, "backend": backend}
        out = refocus(crop, [0.5, -1.0, 3.25], **options)
        assert_moments(out, refocus(crop.contiguous(), [0.5, -1.0, 3.25], **options))


@pytest.mark.parametrize("sizes", [(0, 1, 4, 5, 2), (2, 0, 4, 5, 2), (2, 1, 0, 5, 2), (2, 1, 4, 0, 2), (2, 1, 4, 5, 0)])
def test_empty(backend, device, sizes):
    batch, *picture, planes = sizes
    light_field = torch.rand((batch, 3, 3, *picture), device=device)
    out = refocus(light_field, torch.zeros(planes, device=device), reduce="moments", backend=backend)
    assert all(part.shape == (batch, planes, *picture) for part in out)


def test_weights_that_are_all_0(backend, device):
    """Within a graph they are not refused."""
    if backend == "reference":
        pytest.skip("not an operator")
    light_field, weights = views((1, 3, 3, 1, 5, 20), torch.float32, device), torch.zeros(2, 3, 3, device=device)
    weights[1] = 3.0  # the operator divides by the sum
    planes = torch.tensor([0.5], device=device)
    out = torch.ops.lfdeblur.refocus(light_field, planes, weights, "bilinear", "replicate", reduce="moments")
    assert not out[:, :, 0].any()
    expected = refocus(light_field, planes, reduce="moments", backend="reference")
    assert_moments(out[:, :, 1].unbind(1), expected)


def test_any_number_of_threads():
    """Rows are taken several at a time, from where the share of a thread begins: every value is the same."""
    light_field, threads = views((3, 5, 61, 37, 45), torch.float32), torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(torch.stack(refocus(light_field, 0.3, reduce="moments")))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(results[0], result) for result in results[1:])
