"""``dynamic_filter`` against the published unfold form, one ``addcmul_`` per tap, and ``torch.compile`` of each."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch

from lfdeblur_models.networks.reference import unfold_fac
from lfdeblur_ops import dynamic_filter, reference

from . import _rivals
from ._harness import Case, Sides, compiled, differentiated, pytest_case

FORMS = {"unfold (published)": unfold_fac, "im2col": _rivals.im2col_fac, "addcmul_ taps": _rivals.taps_fac}
PHOTO, CROP = (1, 3, 720, 1280), (1, 3, 256, 256)


def build(shape, k, dtype, device, backward, channels_last, rivals):
    generator = torch.Generator().manual_seed(0)
    n, _, height, width = shape
    x = torch.rand(shape, generator=generator).to(device, dtype)
    filters = (torch.randn(n, k * k, height, width, generator=generator) / k).to(device, dtype)
    grad = torch.randn(shape, generator=generator).to(device, dtype)
    if channels_last:
        filters = filters.contiguous(memory_format=torch.channels_last)

    def side(function):
        if backward:
            return differentiated(partial(_with_size, function, k), (x, filters), grad)
        return lambda: function(x, filters, k)

    forms = {}
    for name in rivals:
        plain = name.removeprefix("compile: ")
        forms[name] = FORMS[plain] if plain == name else compiled(FORMS[plain])

    def expected():
        exact = reference.dynamic_filter
        if backward:
            return differentiated(partial(_with_size, exact, k), (x.double(), filters.double()), grad.double())()
        return exact(x.double(), filters.double(), k)

    return Sides(side(dynamic_filter), {name: side(form) for name, form in forms.items()}, expected)


def _with_size(function, k, x, filters):
    return function(x, filters, k)


def case(
    shape,
    dtype,
    device,
    *,
    k=7,
    backward=False,
    channels_last=False,
    rivals=tuple(FORMS),
    series=None,
    headline=False,
    threads=None,
):
    n, channels, height, width = shape
    pixels = n * height * width
    size = torch.empty((), dtype=dtype).element_size()
    passes = 3 if backward else 1  # backward reads what forward reads and the gradient, and writes as much as it reads
    values = pixels * (channels * (2 + 3 * backward) + k * k * passes)
    label = f"{channels}x{height}x{width} k={k}" + (" channels_last" if channels_last else "")
    return Case(
        op="dynamic_filter",
        shape=label if n == 1 else f"{n}x{label}",
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, shape, k, dtype, device, backward, channels_last, rivals),
        moved=values * size,
        operations=2 * pixels * channels * k * k * passes,
        mode="forward+backward" if backward else "forward",
        series=series,
        headline=headline,
        threads=threads,
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module."""
    compiles = tuple(f"compile: {name}" for name in FORMS)
    quick = ("unfold (published)", "addcmul_ taps")
    every = (*FORMS, *compiles)
    yield case(PHOTO, torch.float32, device, rivals=every if full else (*FORMS, compiles[2]))
    yield case(PHOTO, torch.bfloat16, device, rivals=every if full else quick[1:])
    yield case(PHOTO, torch.float32, device, channels_last=True, rivals=every if full else quick[1:])
    yield case(PHOTO, torch.float32, device, backward=True, rivals=every if full else quick[:1])
    crop = every if full else quick
    yield case(CROP, torch.float32, device, rivals=crop, series=("size", CROP[-1]), headline=True)
    yield case(CROP, torch.float32, device, backward=True, rivals=every if full else quick)
    if full or device == "cuda":
        yield case(PHOTO, torch.float16, device, rivals=quick[1:])
        yield case(PHOTO, torch.bfloat16, device, backward=True, rivals=tuple(FORMS) if full else quick[:1])
    if full:
        yield case(PHOTO, torch.bfloat16, device, channels_last=True)
        for k in (3, 5, 9, 15):
            yield case(PHOTO, torch.float32, device, k=k, rivals=("addcmul_ taps",))
    for side in (128, 512, 1024, 2048) if full else (128, 512):
        yield case((1, 3, side, side), torch.float32, device, rivals=("addcmul_ taps",), series=("size", side))
    if device == "cpu":
        for threads in thread_counts(full):
            yield case(
                PHOTO, torch.float32, device, rivals=("addcmul_ taps",), series=("threads", threads), threads=threads
            )


def thread_counts(full: bool) -> list[int]:
    most = torch.get_num_threads()
    return sorted({1, most} | ({2**i for i in range(most.bit_length()) if 2**i <= most} if full else set()))


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_dynamic_filter(benchmark, dtype, backward):
    pytest_case(benchmark, case((1, 3, 24, 40), dtype, "cpu", k=5, backward=backward))
