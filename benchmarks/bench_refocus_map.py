"""``refocus`` by a disparity per pixel (all-in-focus rendering) against ``grid_sample`` and ``torch.compile``."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch

from lfdeblur_ops import refocus

from . import _rivals
from ._harness import Case, Sides, compiled, differentiated, pytest_case

LYTRO = (3, 434, 625)
GRID_SAMPLE, COMPILED = "grid_sample loop", "compile: indexed"


def build(views, shape, dtype, device, border, backward, rivals):
    generator = torch.Generator().manual_seed(0)
    light_field = torch.rand((views, views, *shape), generator=generator)
    light_field = ((light_field * 255).byte() if dtype == torch.uint8 else light_field.to(dtype)).to(device)
    # Slanted and rippled as a scene's disparity is: neighbours agree to a tenth of a pixel.
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in shape[1:]), indexing="ij")
    disparity = (y + 0.5 * torch.sin(20 * x)).to(device)
    grad = torch.randn(shape, generator=generator).to(device)
    forms = {GRID_SAMPLE: _rivals.grid_sample_map_refocus, COMPILED: compiled(_rivals.indexed_map_refocus)}

    def side(function, lf=light_field, gradient=grad):
        call = partial(_swap, function, disparity, border)
        return differentiated(call, (lf,), gradient) if backward else partial(call, lf)

    first = _rivals.as_float(light_field[:, :, :1]).double()
    expected = side(_reference, first, grad[:1].double())

    def part(result):
        return (result[0][:1], result[1][:, :, :1]) if backward else result[:1]

    return Sides(side(_ours), {name: side(forms[name]) for name in rivals}, expected, part)


def _ours(light_field, disparity, border):
    return refocus(light_field, disparity, border=border)


def _reference(light_field, disparity, border):
    return refocus(light_field, disparity.double(), border=border, backend="reference")


def _swap(function, disparity, border, light_field):
    return function(light_field, disparity, border)


def case(views, dtype, device, *, shape=LYTRO, border="replicate", backward=False, rivals=(GRID_SAMPLE, COMPILED)):
    channels, height, width = shape
    size = torch.empty((), dtype=dtype).element_size()
    written = size if dtype.is_floating_point else 4
    passes = 2 if backward else 1
    return Case(
        op="refocus",
        shape=f"{views}x{views}x{channels}x{height}x{width} map bilinear"
        + (f" {border}" if border != "replicate" else ""),
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, views, shape, dtype, device, border, backward, rivals),
        moved=passes * height * width * (channels * (views**2 * size + written) + 4),
        operations=passes * 2 * 4 * views**2 * channels * height * width,  # four taps of every view
        mode="forward+backward" if backward else "forward",
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module."""
    rivals = (GRID_SAMPLE, COMPILED) if full or device == "cuda" else (GRID_SAMPLE,)
    yield case(9, torch.float32, device, rivals=rivals)
    yield case(9, torch.uint8, device, rivals=rivals)
    if full:
        yield case(9, torch.float32, device, border="valid", rivals=rivals)
        yield case(9, torch.float32, device, backward=True, rivals=rivals)
        yield case(15, torch.float32, device, rivals=rivals)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("border", ["replicate", "valid"])
def test_refocus_map(benchmark, border, backward):
    tiny = case(3, torch.float32, "cpu", shape=(2, 9, 14), border=border, backward=backward, rivals=(GRID_SAMPLE,))
    pytest_case(benchmark, tiny)
