"""``refocus`` by a disparity per pixel (all-in-focus rendering) against ``grid_sample`` and ``torch.compile``."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch

from lfdeblur_ops import refocus
from lfdeblur_ops.testing import REORDERED_SUMS

from . import _rivals
from ._harness import Case, Sides, compiled, differentiated, pytest_case

LYTRO = (3, 434, 625)
GRID_SAMPLE, COMPILED = "grid_sample loop", "compile: indexed"
MODES = {
    None: "forward",
    "light field": "forward+backward",
    "disparity": "forward+backward of the disparity",
    "aperture": "forward+backward of the aperture",
}


def build(views, shape, dtype, device, border, gradient_of, rivals):
    generator = torch.Generator().manual_seed(0)
    light_field = torch.rand((views, views, *shape), generator=generator)
    light_field = ((light_field * 255).byte() if dtype == torch.uint8 else light_field.to(dtype)).to(device)
    # Slanted and rippled as a scene's disparity is: neighbours agree to a tenth of a pixel.
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in shape[1:]), indexing="ij")
    disparity = (y + 0.5 * torch.sin(20 * x)).to(device)
    aperture = torch.rand((views, views), generator=generator).to(device) + 0.5
    grad = torch.randn(shape, generator=generator).to(device)
    forms = {GRID_SAMPLE: _rivals.grid_sample_map_refocus, COMPILED: compiled(_rivals.indexed_map_refocus)}
    first = light_field[:, :, :1]

    def side(function, lf=light_field, d=disparity, w=aperture, gradient=grad):
        if gradient_of == "aperture":
            return differentiated(lambda weights: function(lf, d, border, weights), (w,), gradient)
        if gradient_of == "disparity":
            return differentiated(lambda shifts: function(lf, shifts, border), (d,), gradient)
        if gradient_of == "light field":
            return differentiated(lambda picture: function(picture, d, border), (lf,), gradient)
        return partial(function, lf, d, border)

    def part(result):
        if gradient_of == "light field":
            return result[0][:1], result[1][:, :, :1]
        return result if gradient_of else result[:1]

    if gradient_of in ("aperture", "disparity"):  # sums over the channels
        exact = _rivals.as_float(light_field).double(), disparity.double(), aperture.double(), grad.double()
    else:
        exact = _rivals.as_float(first).double(), disparity.double(), aperture.double(), grad[:1].double()
    return Sides(side(_ours), {name: side(forms[name]) for name in rivals}, side(_reference, *exact), part)


def _ours(light_field, disparity, border, aperture=None):
    return refocus(light_field, disparity, aperture=aperture, border=border)


def _reference(light_field, disparity, border, aperture=None):
    return refocus(light_field, disparity, aperture=aperture, border=border, backend="reference")


def case(views, dtype, device, *, shape=LYTRO, border="replicate", gradient_of=None, rivals=(GRID_SAMPLE, COMPILED)):
    channels, height, width = shape
    size = torch.empty((), dtype=dtype).element_size()
    written = size if dtype.is_floating_point else 4
    passes = 2 if gradient_of else 1
    return Case(
        op="refocus",
        shape=f"{views}x{views}x{channels}x{height}x{width} map bilinear"
        + (f" {border}" if border != "replicate" else ""),
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, views, shape, dtype, device, border, gradient_of, rivals),
        moved=passes * height * width * (channels * (views**2 * size + written) + 4),
        operations=passes * 2 * 4 * views**2 * channels * height * width,  # four taps of every view
        mode=MODES[gradient_of],
        # Of gradients that are sums over all pixels, with both signs.
        tolerance=REORDERED_SUMS if gradient_of in ("aperture", "disparity") else None,
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module."""
    rivals = (GRID_SAMPLE, COMPILED) if full or device == "cuda" else (GRID_SAMPLE,)
    yield case(9, torch.float32, device, rivals=rivals)
    yield case(9, torch.uint8, device, rivals=rivals)
    if full:
        yield case(9, torch.float32, device, border="valid", rivals=rivals)
        yield case(9, torch.float32, device, gradient_of="light field", rivals=rivals)
        for dtype in (torch.float32, torch.uint8):
            # Alone: grid_sample rounds a few samples to the other side of a pixel, where the slope is another one.
            yield case(9, dtype, device, gradient_of="disparity", rivals=())
            yield case(9, dtype, device, gradient_of="aperture", rivals=rivals[:1])
        yield case(15, torch.float32, device, rivals=rivals)


@pytest.mark.parametrize("gradient_of", [None, "light field", "disparity", "aperture"])
@pytest.mark.parametrize("border", ["replicate", "valid"])
def test_refocus_map(benchmark, border, gradient_of):
    if gradient_of == "aperture" and border == "valid":
        pytest.skip("the rival has no aperture there")
    shape, rivals = (2, 9, 14), (GRID_SAMPLE,)
    pytest_case(
        benchmark, case(3, torch.float32, "cpu", shape=shape, border=border, gradient_of=gradient_of, rivals=rivals)
    )
