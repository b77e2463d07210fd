"""``drb_head`` against its parts run apart: convolution, ``dynamic_filter``, convolution; and the published form."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from lfdeblur_models.networks.reference import unfold_fac
from lfdeblur_ops import drb_head, dynamic_filter, reference

from ._convolutions import SLOPE, activated, drawn, laid_out
from ._harness import Case, Sides, compiled, differentiated, pytest_case
from ._rivals import taps_fac

APART, PUBLISHED, TAPS = "conv + dynamic_filter + conv", "published form", "compile: addcmul_ taps"
FORMS = (APART, PUBLISHED, TAPS)
TOLERANCE = {torch.float32: {"rtol": 1e-5, "atol": 1e-5}, torch.bfloat16: {"rtol": 0.02, "atol": 0.02}}
TOLERANCE_BACKWARD = {torch.float32: {"rtol": 1e-3, "atol": 0.02}, torch.bfloat16: {"rtol": 0.05, "atol": 1.0}}


def apart(fac, k, features, weight, bias, others, other_weight, other_bias, image):
    filters = F.conv2d(features, weight[..., None, None], bias)
    residual = activated(F.conv2d(others, other_weight[..., None, None], other_bias))
    return image + fac(image, filters, k) + residual


def ours(k, features, weight, bias, others, other_weight, other_bias, image):
    return drb_head(features, weight, bias, others, other_weight, other_bias, image, k, SLOPE)


def exact(k, *tensors):
    return reference.drb_head(*tensors, k, SLOPE, -float("inf"), float("inf"))


def build(shape, features, others, k, dtype, device, backward, rivals):
    if dtype == torch.bfloat16 and device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        rivals = ()  # their convolutions take minutes; ours runs in float32 inside
    n, channels, height, width = shape
    tensors = [
        drawn(n, features, height, width, seed=0),
        drawn(k * k, features, seed=1, scale=features**-0.5 / k),
        drawn(k * k, seed=2, scale=1 / k),
        drawn(n, others, height, width, seed=3),
        drawn(channels, others, seed=4, scale=others**-0.5),
        drawn(channels, seed=5),
        drawn(*shape, seed=6),
    ]
    *layers, image = laid_out(tensors, dtype, device, True)
    inputs = [*layers, image.contiguous()]
    grad = drawn(*shape, seed=7).to(device, dtype)

    def side(function):
        if backward:
            return differentiated(partial(function, k), inputs, grad)

        def call():
            with torch.no_grad():
                return function(k, *inputs)

        return call

    forms = {
        APART: lambda: partial(apart, dynamic_filter),
        PUBLISHED: lambda: partial(apart, unfold_fac),
        TAPS: lambda: compiled(partial(apart, taps_fac)),
    }

    def expected():
        wide = [t.double() for t in inputs]
        return differentiated(partial(exact, k), wide, grad.double())() if backward else exact(k, *wide)

    return Sides(side(ours), {name: side(forms[name]()) for name in rivals}, expected)


def case(shape, dtype, device, *, features=64, others=64, k=7, backward=False, rivals=FORMS):
    n, channels, height, width = shape
    pixels = n * height * width
    taps = k * k
    return Case(
        op="drb_head",
        shape=f"{features}+{others} {height}x{width} k={k}",
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, shape, features, others, k, dtype, device, backward, rivals),
        moved=pixels
        * (features + others + 2 * channels)
        * torch.empty((), dtype=dtype).element_size()
        * (1 + backward),
        operations=2 * pixels * (taps * features + channels * others + channels * taps) * (3 if backward else 1),
        mode="forward+backward" if backward else "forward",
        arithmetic=str(dtype)[6:],
        tolerance=(TOLERANCE_BACKWARD if backward else TOLERANCE)[dtype],
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module."""
    quick = device == "cpu" and not full
    photo, crop = (1, 3, 720, 1280), (1, 3, 256, 256)
    yield case(photo, torch.float32, device, rivals=FORMS[:1] if quick else FORMS)
    yield case(crop, torch.float32, device, backward=True, rivals=FORMS[:1] if quick else FORMS[:2])
    if not quick:
        yield case(crop, torch.float32, device)
        yield case(photo, torch.bfloat16, device)
        yield case(photo, torch.float32, device, backward=True, rivals=FORMS[:1])


@pytest.mark.parametrize("backward", [False, True])
def test_drb_head(benchmark, backward):
    options = {"features": 8, "others": 6, "k": 3, "backward": backward}
    rivals = FORMS[:2]
    pytest_case(benchmark, case((1, 3, 9, 14), torch.float32, "cpu", rivals=rivals, **options))
