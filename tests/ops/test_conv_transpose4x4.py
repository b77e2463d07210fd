"""``conv_transpose4x4`` on every back end against the float64 reference."""

import pytest
import torch

from lfdeblur_ops import BackendError, conv_transpose4x4
from lfdeblur_ops.testing import FLOATS, REORDERED_SUMS

from ..backends import DEVICE, compiler
from .checks import BACKENDS, LAYOUTS, check, draw, opcheck, require, skip_unfit


@pytest.fixture(params=BACKENDS)
def backend(request):
    return require("conv_transpose4x4", request.param)


@pytest.fixture
def device(backend):
    return DEVICE[backend]


def make(size, c, o, *, residual=True, bias=True, layout="channels_last", **options):
    """x, weight, bias, residual."""
    n, h, w = size
    return [
        draw(n, c, h, w, layout=layout, **options),
        draw(c, o, 4, 4, scale=(4 * c) ** -0.5, **options),
        draw(o, **options) if bias else None,
        draw(n, o, 2 * h, 2 * w, layout=layout, **options) if residual else None,
    ]


def run(arguments, slope, backend):
    x, weight, bias, residual = arguments
    activation = None if slope == 1 else "leaky_relu"
    options = {"activation": activation, "negative_slope": 0.1 if slope == 1 else slope}
    return conv_transpose4x4(x, weight, bias, residual=residual, backend=backend, **options)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(("c", "o"), [(64, 32), (5, 7), (1, 40)])
def test_matches_float64_reference(backend, device, dtype, c, o):
    skip_unfit(backend, dtype)
    for slope in (1.0, 0.1, 0.0):
        arguments = make((2, 5, 9), c, o, dtype=dtype, device=device, grad=True)
        check("conv_transpose4x4", lambda a=arguments, s=slope: run(a, s, backend), [*arguments, slope], backend)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 1, 6), (1, 9, 17)], ids=str)
def test_sizes_layouts_and_absent_tensors(backend, device, size, layout):
    for present in ({}, {"residual": False}, {"bias": False}, {"residual": False, "bias": False}):
        arguments = make(size, 8, 6, layout=layout, device=device, grad=True, **present)
        check("conv_transpose4x4", lambda a=arguments: run(a, 0.1, backend), [*arguments, 0.1], backend)


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 3, 0, 5), (2, 3, 4, 0)], ids=str)
def test_empty(backend, device, shape):
    x, weight = draw(*shape, device=device, grad=True), draw(3, 8, 4, 4, device=device, grad=True)
    out = conv_transpose4x4(x, weight, activation="leaky_relu", backend=backend)
    assert out.shape == (shape[0], 8, 2 * shape[2], 2 * shape[3])
    out.sum().backward()
    assert x.grad.shape == x.shape
    torch.testing.assert_close(weight.grad, torch.zeros_like(weight))


def test_gradcheck(backend, device):
    skip_unfit(backend, torch.float64)
    *arguments, residual = make((1, 2, 3), 2, 2, dtype=torch.float64, device=device, grad=True)
    assert torch.autograd.gradcheck(lambda *a: run([*a, None], 0.1, backend), arguments)
    assert torch.autograd.gradcheck(lambda *a: run(a, 0.1, backend), [*arguments, residual])


def test_opcheck(backend, device):
    if backend == "reference":
        pytest.skip("not an operator")
    cases = [
        (*make((2, 3, 4), 8, 16, layout=layout, device=device, grad=True), slope)
        for layout in LAYOUTS
        for slope in (0.1, 1.0)
    ]
    opcheck(torch.ops.lfdeblur.conv_transpose4x4.default, *cases)


def test_compiles_without_graph_break(backend, device):
    arguments = make((1, 4, 5), 8, 16, device=device, grad=True)
    compiled = torch.compile(lambda *a: run(a, 0.1, backend).square().sum(), fullgraph=True, backend=compiler(backend))
    got = torch.autograd.grad(compiled(*arguments), arguments)
    want = torch.autograd.grad(run(arguments, 0.1, backend).square().sum(), arguments)
    torch.testing.assert_close(got, want, **REORDERED_SUMS)


def test_autocast(backend, device):
    arguments = make((1, 4, 5), 8, 16, device=device)
    with torch.autocast(device, dtype=torch.bfloat16):
        out = run(arguments, 0.1, backend)
    assert out.dtype == torch.bfloat16
    check("conv_transpose4x4", lambda: out, [*(a.bfloat16() for a in arguments), 0.1])


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"x": None}, TypeError, "x: got NoneType, want a tensor"),
        ({"weight": None}, TypeError, "weight: got None"),
        ({"weight": torch.zeros(4, 8, 4, 4)}, RuntimeError, r"weight: got shape \[4, 8, 4, 4\], want \[3, any, 4, 4\]"),
        ({"weight": torch.zeros(3, 8, 4, 4).double()}, TypeError, "weight: got dtype torch.float64"),
        ({"bias": torch.zeros(7)}, RuntimeError, r"bias: got shape \[7\], want \[8\]"),
        ({"residual": torch.zeros(1, 8, 4, 5)}, RuntimeError, r"residual: got shape .*, want \[1, 8, 8, 10\]"),
        ({"activation": True}, ValueError, "activation: got True, want None or 'leaky_relu'"),
        ({"negative_slope": None}, TypeError, "negative_slope: got None"),
        ({"backend": "cuda"}, ValueError, "backend: got 'cuda'"),
        ({"backend": "triton"}, BackendError, "no backend can run this call: triton: "),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_bad_input(change, error, text):
    options = {"x": torch.zeros(1, 3, 4, 5), "weight": torch.zeros(3, 8, 4, 4), "bias": None} | change
    with pytest.raises(error, match=text):
        conv_transpose4x4(options.pop("x"), options.pop("weight"), options.pop("bias"), **options)
