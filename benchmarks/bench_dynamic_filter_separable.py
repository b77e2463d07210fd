"""``dynamic_filter_separable`` against its products as filters of every pixel: the published formulation unfolded, one
``addcmul_`` per row of taps, and ``dynamic_filter`` of the products."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter, dynamic_filter_separable, reference

from ._harness import Case, Sides, compiled, differentiated, pytest_case

SEPCONV, HALF = (1, 3, 128, 128), (1, 3, 360, 640)  # a crop of the published training, half a film frame


def unfolded(x: Tensor, filters: Tensor, k: int) -> Tensor:
    """The published kernel's sum: every window, by the vertical and the horizontal taps."""
    windows = F.pad(x, (k // 2,) * 4, mode="replicate").unfold(2, k, 1).unfold(3, k, 1)  # [N, C, H, W, k, k], a view
    return torch.einsum("nchwij,nihw,njhw->nchw", windows, filters[:, :k], filters[:, k:])


def rows_of_taps(x: Tensor, filters: Tensor, k: int) -> Tensor:
    """The best plain PyTorch form of the forward pass."""
    height, width = x.shape[-2:]
    padded = F.pad(x, (k // 2,) * 4, mode="replicate")
    out, row = torch.zeros_like(x), torch.empty_like(x)
    for i in range(k):
        row.zero_()
        for j in range(k):
            row.addcmul_(filters[:, k + j : k + j + 1], padded[..., i : i + height, j : j + width])
        out.addcmul_(filters[:, i : i + 1], row)
    return out


def products(x: Tensor, filters: Tensor, k: int) -> Tensor:
    """By the filters of all taps, which take ``k*k`` numbers a pixel."""
    return dynamic_filter(x, (filters[:, :k, None] * filters[:, None, k:]).flatten(1, 2), k)


FORMS = {"einsum of windows": unfolded, "addcmul_ rows": rows_of_taps, "dynamic_filter of products": products}


def build(shape, k, dtype, device, backward, rivals):
    generator = torch.Generator().manual_seed(0)
    n, _, height, width = shape
    x = torch.rand(shape, generator=generator).to(device, dtype)
    filters = (torch.randn(n, 2 * k, height, width, generator=generator) / k**0.5).to(device, dtype)
    grad = torch.randn(shape, generator=generator).to(device, dtype)

    def side(function):
        if backward:
            return differentiated(lambda x, filters: function(x, filters, k), (x, filters), grad)
        return lambda: function(x, filters, k)

    forms = {}
    for name in rivals:
        plain = name.removeprefix("compile: ")
        forms[name] = FORMS[plain] if plain == name else compiled(FORMS[plain])

    def expected():
        wide = (x.double(), filters.double())
        if backward:
            exact = partial(_with_size, reference.dynamic_filter_separable, k)
            return differentiated(exact, wide, grad.double())()
        return reference.dynamic_filter_separable(*wide, k)

    return Sides(side(dynamic_filter_separable), {name: side(form) for name, form in forms.items()}, expected)


def _with_size(function, k, x, filters):
    return function(x, filters, k)


def case(shape, dtype, device, *, k, backward=False, rivals=tuple(FORMS), headline=False):
    n, channels, height, width = shape
    pixels = n * height * width
    size = torch.empty((), dtype=dtype).element_size()
    passes = 4 if backward else 1  # the taps' gradient has the sums of both kinds
    values = pixels * (channels * (2 + 3 * backward) + 2 * k * (3 if backward else 1))
    label = f"{channels}x{height}x{width} k={k}"
    return Case(
        op="dynamic_filter_separable",
        shape=label if n == 1 else f"{n}x{label}",
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, shape, k, dtype, device, backward, rivals),
        moved=values * size,
        operations=2 * pixels * channels * k * (k + 1) * passes,
        mode="forward+backward" if backward else "forward",
        headline=headline,
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module."""
    every = tuple(FORMS)
    yield case(SEPCONV, torch.float32, device, k=51, rivals=every if full else every[1:2], headline=True)
    yield case(SEPCONV, torch.float32, device, k=25, backward=True, rivals=every if full else every[2:])
    yield case(HALF, torch.float32, device, k=7, rivals=every if full else every[1:])
    if full or device == "cuda":
        yield case(SEPCONV, torch.bfloat16, device, k=51, rivals=every[1:2])
    if full:
        yield case(HALF, torch.float32, device, k=51, rivals=every[1:2])
        yield case(HALF, torch.float32, device, k=7, backward=True, rivals=every[1:])


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_dynamic_filter_separable(benchmark, dtype, backward):
    rivals = ("einsum of windows", "dynamic_filter of products")
    pytest_case(benchmark, case((1, 3, 24, 40), dtype, "cpu", k=5, backward=backward, rivals=rivals))
