"""``refocus`` against a ``grid_sample`` loop, weighted slices, SciPy, and a fused ``torch.compile`` form."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch

from lfdeblur_ops import refocus

from . import _rivals
from ._harness import Case, Sides, compiled, differentiated, pytest_case
from .bench_dynamic_filter import thread_counts

LYTRO = (3, 434, 625)
GRID_SAMPLE, SLICES, SEPARABLE = "grid_sample loop", "slices add_", "separable slices"
SCIPY, COMPILED = "scipy.ndimage.shift", "compile: indexed"
FORMS = (GRID_SAMPLE, SLICES, SEPARABLE, SCIPY, COMPILED)


def planes_of(count: int) -> list[float]:
    return [0.7] if count == 1 else torch.linspace(-1.5, 1.5, count, dtype=torch.float64).tolist()


def build(views, shape, count, dtype, device, interpolation, backward, rivals):
    generator = torch.Generator().manual_seed(0)
    light_field = torch.rand((views, views, *shape), generator=generator)
    light_field = (light_field * 255).byte() if dtype == torch.uint8 else light_field.to(dtype)
    light_field = light_field.to(device)
    planes = planes_of(count)
    disparity = torch.tensor(planes, dtype=torch.float32, device=device)
    grad = torch.randn((count, *shape), generator=generator).to(device)
    one_plane = compiled(_rivals.indexed_refocus)

    def indexed(lf, planes):
        return torch.stack([one_plane(lf, d) for d in torch.tensor(planes, dtype=torch.float32, device=device)])

    bodies: dict[str, Any] = {
        GRID_SAMPLE: _rivals.grid_sample_refocus,
        SLICES: partial(_rivals.slices_refocus, interpolation=interpolation),
        SEPARABLE: partial(_rivals.separable_slices_refocus, interpolation=interpolation),
        SCIPY: _rivals.scipy_refocus,
        COMPILED: indexed,
    }
    if backward:
        ours = differentiated(partial(_ours, disparity, interpolation), (light_field,), grad)
        sides = {name: differentiated(partial(_swap, bodies[name], planes), (light_field,), grad) for name in rivals}
    else:
        ours = partial(_ours, disparity, interpolation, light_field)
        sides = {name: partial(bodies[name], light_field, planes) for name in rivals}

    # One colour of the first and last plane in float64; all planes where gradients are compared.
    chosen = list(range(count)) if backward else sorted({0, count - 1})
    exact_planes = disparity.double()[chosen].tolist()

    def exact(lf):
        return _rivals.slices_refocus(lf, exact_planes, interpolation)

    def expected():
        first = _rivals.as_float(light_field[:, :, :1]).double()
        return differentiated(exact, (first,), grad[:, :1].double())() if backward else exact(first)

    def part(result):
        return (result[0][:, :1], result[1][:, :, :1]) if backward else result[chosen, :1]

    return Sides(ours, sides, expected, part)


def _ours(disparity, interpolation, light_field):
    return refocus(light_field, disparity, interpolation=interpolation)


def _swap(function, planes, light_field):
    return function(light_field, planes)


def case(
    views,
    count,
    dtype,
    device,
    *,
    shape=LYTRO,
    interpolation="bilinear",
    backward=False,
    rivals,
    series=None,
    headline=False,
    threads=None,
):
    channels, height, width = shape
    pixels = channels * height * width
    size = torch.empty((), dtype=dtype).element_size()
    written = size if dtype.is_floating_point else 4
    passes = 2 if backward else 1
    per_axis = {"bilinear": 2, "bicubic": 4}[interpolation]
    return Case(
        op="refocus",
        shape=f"{views}x{views}x{channels}x{height}x{width} D={count} {interpolation}",
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, views, shape, count, dtype, device, interpolation, backward, rivals),
        moved=passes * pixels * (views**2 * size + count * written),
        operations=passes * 2 * per_axis * (views**2 + views) * count * pixels,  # separable sums
        mode="forward+backward" if backward else "forward",
        series=series,
        headline=headline,
        threads=threads,
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module; SciPy on the CPU only, and for one plane only (20 s and more for the others)."""
    one = tuple(name for name in FORMS if device == "cpu" or name != SCIPY)
    many = (GRID_SAMPLE, SLICES, SEPARABLE, COMPILED)
    eager = (GRID_SAMPLE, SLICES, SEPARABLE)
    sums = (SLICES, SEPARABLE)
    yield case(9, 1, torch.float32, device, rivals=one, series=("planes", 1), headline=True)
    yield case(9, 1, torch.uint8, device, rivals=many if full else eager)
    yield case(9, 1, torch.float32, device, interpolation="bicubic", rivals=sums)
    eight = many if full else eager
    yield case(9, 8, torch.float32, device, rivals=eight, series=("planes", 8), headline=True)
    yield case(9, 8, torch.uint8, device, rivals=eager if full else sums)
    yield case(15, 1, torch.float32, device, rivals=many if full else sums)
    yield case(15, 1, torch.uint8, device, rivals=eager if full else sums[:1])
    if full or device == "cuda":
        yield case(15, 1, torch.float16, device, rivals=sums[1:])
        yield case(15, 64, torch.uint8, device, rivals=sums if full else sums[1:])
    if full:
        yield case(9, 8, torch.float32, device, interpolation="bicubic", rivals=sums)
        yield case(15, 16, torch.float32, device, rivals=many)
        yield case(15, 16, torch.uint8, device, rivals=eager)
        yield case(15, 16, torch.float32, device, interpolation="bicubic", rivals=sums)
        yield case(9, 1, torch.float32, device, backward=True, rivals=eager)
        yield case(9, 8, torch.float32, device, backward=True, rivals=eager)
    for count in (2, 4, 16, 32) if full else (2, 16):
        yield case(9, count, torch.float32, device, rivals=sums if full else sums[:1], series=("planes", count))
    for side in (128, 256, 512, 1024) if full else (128, 512):
        yield case(9, 1, torch.float32, device, shape=(3, side, side), rivals=sums[:1], series=("size", side))
    if device == "cpu":
        for threads in thread_counts(full):
            yield case(9, 8, torch.float32, device, rivals=sums[:1], series=("threads", threads), threads=threads)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8], ids=str)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_refocus(benchmark, dtype, interpolation):
    rivals = (GRID_SAMPLE, SLICES, SEPARABLE, SCIPY) if interpolation == "bilinear" else (SLICES, SEPARABLE)
    tiny = case(3, 2, dtype, "cpu", shape=(2, 9, 14), interpolation=interpolation, rivals=rivals)
    pytest_case(benchmark, tiny)
