"""``residual_block`` on every back end against the float64 reference."""

import pytest
import torch

from lfdeblur_ops import BackendError, residual_block
from lfdeblur_ops.testing import FLOATS, REORDERED_SUMS

from ..backends import DEVICE, compiler
from .checks import BACKENDS, LAYOUTS, check, draw, fit, opcheck, require, skip_unfit


@pytest.fixture(params=[*BACKENDS, "winograd"])
def backend(request):
    return require("residual_block", request.param)


@pytest.fixture
def device(backend):
    return DEVICE[backend]


def make(size, c, *, bias=True, layout="channels_last", **options):
    """x, weight1, bias1, weight2, bias2."""
    n, h, w = size
    tensors = [draw(n, c, h, w, layout=layout, **options)]
    for _ in range(2):
        tensors.append(draw(c, c, 3, 3, scale=(9 * max(c, 1)) ** -0.5, **options))
        tensors.append(draw(c, **options) if bias else None)
    return tensors


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("c", [32, 64, 5])
def test_matches_float64_reference(backend, device, dtype, c):
    skip_unfit(backend, dtype)
    (c,) = fit(backend, c)
    for slope in (0.1, 0.0, 1.0):
        arguments = make((2, 9, 14), c, dtype=dtype, device=device, grad=True)
        check(
            "residual_block",
            lambda a=arguments, s=slope: residual_block(*a, negative_slope=s, backend=backend),
            [*arguments, slope],
            backend,
        )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 1, 6), (1, 19, 37)], ids=str)
def test_sizes_and_layouts(backend, device, size, layout):
    for bias in (True, False):
        arguments = make(size, 32, bias=bias, layout=layout, device=device, grad=True)
        check("residual_block", lambda a=arguments: residual_block(*a, backend=backend), [*arguments, 0.1], backend)


@pytest.mark.parametrize("shape", [(0, 32, 4, 5), (2, 32, 0, 5), (2, 32, 4, 0)], ids=str)
def test_empty(backend, device, shape):
    arguments = make((shape[0], *shape[2:]), 32, device=device, grad=True)
    out = residual_block(*arguments, backend=backend)
    assert out.shape == shape
    out.sum().backward()
    assert arguments[0].grad.shape == shape
    for tensor in arguments[1:]:
        torch.testing.assert_close(tensor.grad, torch.zeros_like(tensor))


def test_gradcheck(backend, device):
    skip_unfit(backend, torch.float64)
    arguments = make((1, 3, 4), 2, dtype=torch.float64, device=device, grad=True)
    assert torch.autograd.gradcheck(lambda *a: residual_block(*a, backend=backend), arguments)


def test_only_wanted_gradients(backend, device):
    (c,) = fit(backend, 8)
    full = make((1, 5, 6), c, device=device, grad=True)
    grads = torch.autograd.grad(residual_block(*full, backend=backend).square().sum(), full)
    for i in range(5):
        some = [a.detach().requires_grad_(j == i) for j, a in enumerate(full)]
        (grad,) = torch.autograd.grad(residual_block(*some, backend=backend).square().sum(), some[i])
        torch.testing.assert_close(grad, grads[i], **REORDERED_SUMS)


def test_opcheck(backend, device):
    if backend == "reference":
        pytest.skip("not an operator")
    cases = [
        (
            *make((2, 3, 4), 32, layout=layout, device=device, grad=True),
            0.1,
            "winograd" if backend == "winograd" else "direct",
        )
        for layout in LAYOUTS
    ]
    opcheck(torch.ops.lfdeblur.residual_block.default, *cases)


def test_compiles_without_graph_break(backend, device):
    arguments = make((1, 6, 7), 32, device=device, grad=True)
    compiled = torch.compile(
        lambda *a: residual_block(*a, backend=backend).square().sum(), fullgraph=True, backend=compiler(backend)
    )
    got = torch.autograd.grad(compiled(*arguments), arguments)
    want = torch.autograd.grad(residual_block(*arguments, backend=backend).square().sum(), arguments)
    torch.testing.assert_close(got, want, **REORDERED_SUMS)


def test_autocast(backend, device):
    skip_unfit(backend, torch.bfloat16)
    arguments = make((1, 6, 7), 32, device=device)
    with torch.autocast(device, dtype=torch.bfloat16):
        out = residual_block(*arguments, backend=backend)
    assert out.dtype == torch.bfloat16
    check("residual_block", lambda: out, [*(a.bfloat16() for a in arguments), 0.1])


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"x": [1.0]}, TypeError, "x: got list, want a tensor"),
        ({"weight1": None}, TypeError, "weight1: got None"),
        ({"weight1": torch.zeros(3, 4, 3, 3)}, RuntimeError, r"weight1: got shape \[3, 4, 3, 3\], want \[3, 3, 3, 3\]"),
        ({"weight2": torch.zeros(4, 3, 3, 3)}, RuntimeError, r"weight2: got shape \[4, 3, 3, 3\]"),
        ({"bias1": torch.zeros(3).half()}, TypeError, "bias1: got dtype torch.float16"),
        ({"bias2": torch.zeros(4)}, RuntimeError, r"bias2: got shape \[4\], want \[3\]"),
        ({"negative_slope": -1}, ValueError, "negative_slope: got -1, want a number from 0 to 1"),
        ({"backend": "gpu"}, ValueError, "backend: got 'gpu'"),
        ({"backend": "triton"}, BackendError, "no backend can run this call: triton: "),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_bad_input(change, error, text):
    weight = torch.zeros(3, 3, 3, 3)
    arguments = {"x": torch.zeros(1, 3, 4, 5), "weight1": weight, "bias1": None, "weight2": weight, "bias2": None}
    with pytest.raises(error, match=text):
        residual_block(**(arguments | change))
