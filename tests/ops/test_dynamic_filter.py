"""``dynamic_filter`` on every back end against the float64 reference."""

import numpy as np
import pytest
import torch

from lfdeblur_ops import BackendError, dynamic_filter, reference
from lfdeblur_ops.testing import FLOATS, TOL

from ..backends import compiler
from .checks import opcheck

SHAPES = [(1, 1, 1, 1), (2, 3, 5, 7), (1, 4, 16, 9), (1, 3, 6, 71), (2, 5, 3, 40), (1, 2, 40, 1)]


def make(shape, k, dtype, device, *, shared=True, layout="contiguous", grad=False):
    n, c, h, w = shape
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    f = torch.randn((n, k * k * (1 if shared else c), h, w), generator=generator, dtype=torch.float64).to(dtype) / k
    x, f = x.to(device), f.to(device)
    if layout == "channels_last":
        x, f = (t.contiguous(memory_format=torch.channels_last) for t in (x, f))
    elif layout == "strided":
        x = torch.stack([x, x], -1)[..., 0]
        f = torch.cat([f, f], 1)[:, : f.shape[1]].transpose(2, 3).contiguous().transpose(2, 3)
    return (x.requires_grad_(grad), f.requires_grad_(grad), k)


@pytest.mark.parametrize("border", ["replicate", "zeros"])
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per_channel"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_matches_float64_reference(backend, device, dtype, shape, shared, border):
    for k in (1, 3, 5, 7, 9, 15):
        x, f, k = make(shape, k, dtype, device, shared=shared)
        expected = reference.dynamic_filter(x.double(), f.double(), k, border).to(dtype)
        torch.testing.assert_close(dynamic_filter(x, f, k, border=border, backend=backend), expected, **TOL[dtype])


@pytest.mark.parametrize("border", ["replicate", "zeros"])
@pytest.mark.parametrize("layout", ["channels_last", "strided"])
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per_channel"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_layouts(backend, device, dtype, shared, layout, border):
    if backend == "reference":
        pytest.skip("plain torch: any layout")
    for k in (3, 7, 9):
        x, f, k = make((2, 3, 6, 19), k, dtype, device, shared=shared, layout=layout, grad=True)
        out = dynamic_filter(x, f, k, border=border, backend=backend)
        weight = torch.randn(out.shape, dtype=torch.float64, device=device).to(dtype)
        out.backward(weight)
        x64, f64 = (t.detach().double().requires_grad_() for t in (x, f))
        expected = reference.dynamic_filter(x64, f64, k, border)
        expected.backward(weight.double())
        torch.testing.assert_close(out, expected.to(dtype), **TOL[dtype])
        torch.testing.assert_close(x.grad, x64.grad.to(dtype), **TOL[dtype])
        torch.testing.assert_close(f.grad, f64.grad.to(dtype), **TOL[dtype])


@pytest.mark.parametrize("border", ["replicate", "zeros"])
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per_channel"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_match_float64_reference(backend, device, dtype, shape, shared, border):
    if backend == "reference":
        pytest.skip("the reference's gradients are autograd's: gradcheck holds them")
    for k in (1, 3, 5, 7, 11):
        x, f, k = make(shape, k, dtype, device, shared=shared, grad=True)
        out = dynamic_filter(x, f, k, border=border, backend=backend)
        weight = torch.randn(out.shape, dtype=torch.float64, device=device).to(dtype)
        out.backward(weight)
        x64, f64 = (t.detach().double().requires_grad_() for t in (x, f))
        reference.dynamic_filter(x64, f64, k, border).backward(weight.double())
        torch.testing.assert_close(x.grad, x64.grad.to(dtype), **TOL[dtype])
        torch.testing.assert_close(f.grad, f64.grad.to(dtype), **TOL[dtype])


@pytest.mark.parametrize("border", ["replicate", "zeros"])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_gradcheck(backend, device, k, border):
    x, f, k = make((1, 2, 4, 3), k, torch.float64, device, grad=True)
    assert torch.autograd.gradcheck(lambda x, f: dynamic_filter(x, f, k, border=border, backend=backend), (x, f))


def test_opcheck(backend, device):
    if backend == "reference":
        pytest.skip("not an operator")
    forward, backward = [], []
    for layout in ("contiguous", "channels_last", "strided"):
        x, f, k = make((2, 3, 4, 5), 3, torch.float32, device, layout=layout, grad=True)
        forward.append((x, f, k, "zeros"))
        backward.append((torch.randn_like(x), x.detach(), f.detach(), k, "replicate", True, True))
    opcheck(torch.ops.lfdeblur.dynamic_filter.default, *forward)
    opcheck(torch.ops.lfdeblur.dynamic_filter_backward.default, *backward)


def test_compiles_without_graph_break(backend, device):
    x, f, k = make((1, 3, 8, 9), 5, torch.float32, device, grad=True)
    run = torch.compile(
        lambda x, f: dynamic_filter(x * 2, f, k, backend=backend).sum(), fullgraph=True, backend=compiler(backend)
    )
    run(x, f).backward()
    compiled_grads = x.grad.clone(), f.grad.clone()
    x.grad = f.grad = None
    dynamic_filter(x * 2, f, k, backend=backend).sum().backward()
    torch.testing.assert_close(compiled_grads, (x.grad, f.grad), **TOL[torch.float32])


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5), (2, 3, 4, 0)], ids=str)
def test_empty(backend, device, shape):
    x, f, k = make(shape, 3, torch.float32, device, grad=True)
    out = dynamic_filter(x, f, k, backend=backend)
    assert out.shape == x.shape
    out.sum().backward()
    assert x.grad.shape == x.shape
    assert f.grad.shape == f.shape
    assert torch.equal(f.grad, torch.zeros_like(f))


def test_only_wanted_gradients(backend, device):
    x, f, k = make((1, 3, 6, 7), 5, torch.float32, device)
    both = [t.clone().requires_grad_() for t in (x, f)]
    dynamic_filter(*both, k, backend=backend).square().sum().backward()
    for i in range(2):
        inputs = [x.clone(), f.clone()]
        inputs[i].requires_grad_()
        dynamic_filter(*inputs, k, backend=backend).square().sum().backward()
        assert inputs[1 - i].grad is None
        torch.testing.assert_close(inputs[i].grad, both[i].grad)


def test_values_that_are_not_finite_stay_local(backend, device):
    for layout in ("contiguous", "channels_last"):
        x, f, k = make((1, 3, 9, 20), 5, torch.float32, device, layout=layout)
        x[0, 1, 4, 10] = float("inf")
        out = dynamic_filter(x, f, k, backend=backend)
        assert not out[0, 1, 2:7, 8:13].isfinite().any()
        out[0, 1, 2:7, 8:13] = 0
        assert out.isfinite().all()


def test_autocast_casts_like_a_convolution(backend, device):
    x, f, k = make((1, 3, 6, 7), 3, torch.float32, device)
    with torch.autocast(device, dtype=torch.bfloat16):
        out = dynamic_filter(x, f.bfloat16(), k, backend=backend)
    assert out.dtype == torch.bfloat16
    expected = reference.dynamic_filter(x.bfloat16().double(), f.bfloat16().double(), k).bfloat16()
    torch.testing.assert_close(out, expected, **TOL[torch.bfloat16])


def test_result_does_not_depend_on_threads():
    x, f, k = make((2, 3, 33, 37), 7, torch.float32, "cpu", grad=True)
    results = []
    threads = torch.get_num_threads()
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        x.grad = f.grad = None
        out = dynamic_filter(x, f, k, backend="cpu")
        out.square().sum().backward()
        results.append((out.detach().clone(), x.grad.clone(), f.grad.clone()))
    torch.set_num_threads(threads)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)


def test_filters_of_one_picture_serve_all(backend, device):
    for shared in (True, False):
        x, f, k = make((3, 2, 5, 7), 3, torch.float64, device, shared=shared, grad=True)
        one = f.detach()[:1].clone().requires_grad_()
        assert torch.equal(
            dynamic_filter(x, one, k, backend=backend), dynamic_filter(x, one.expand(3, -1, -1, -1), k, backend=backend)
        )
        assert torch.autograd.gradcheck(lambda x, f, k=k: dynamic_filter(x, f, k, backend=backend), (x, one))


def test_ways_to_say_the_kernel_size():
    x, f, k = make((1, 2, 5, 7), 3, torch.float32, "cpu", shared=False)
    expected = dynamic_filter(x, f, k)
    for same in (None, (3, 3), [3, 3], np.int64(3), np.uint8(3)):
        assert torch.equal(dynamic_filter(x, f, same), expected)
    assert torch.equal(dynamic_filter(x, f[:, :9]), dynamic_filter(x, f[:, :9], 3))
    x9 = torch.rand(1, 9, 5, 7)
    with pytest.raises(
        ValueError,
        match=r"kernel_size: got None, and 1 \(9 groups\) and 3 \(1 group\) fits 9 channels of filters beside 9",
    ):
        dynamic_filter(x9, f[:, :9])
    with pytest.raises(ValueError, match="kernel_size: got None, and no odd size fits 10 channels"):
        dynamic_filter(x, f[:, :10])


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"x": "picture"}, TypeError, "x: got str, want a tensor"),
        ({"x": torch.zeros(3, 4, 5)}, RuntimeError, r"x: got shape \[3, 4, 5\], want 4 axes"),
        ({"x": torch.zeros(1, 3, 4, 5, dtype=torch.int32)}, TypeError, "x: got dtype torch.int32, want float64"),
        (
            {"filters": torch.zeros(1, 9, 4, 5).bfloat16()},
            TypeError,
            "filters: got dtype torch.bfloat16, want that of x",
        ),
        ({"filters": torch.zeros(1, 9, 4, 5, device="meta")}, RuntimeError, "filters: got device meta, want that of x"),
        ({"filters": torch.zeros(1, 9, 4, 6)}, RuntimeError, r"filters: got shape \[1, 9, 4, 6\]"),
        ({"filters": torch.zeros(1, 10, 4, 5)}, RuntimeError, "filters: got 10 channels, want k.k = 9"),
        ({"kernel_size": 4}, ValueError, "kernel_size: got 4, want an odd integer from 1 to 51"),
        ({"kernel_size": -3}, ValueError, "kernel_size: got -3"),
        ({"kernel_size": 3.0}, ValueError, "kernel_size: got 3.0"),
        ({"kernel_size": True}, ValueError, "kernel_size: got True"),
        (
            {"x": torch.zeros(1, 3, 6, 7)},
            RuntimeError,
            r"x: got shape \[1, 3, 6, 7\], 1 pixels more on each side .* without padding: that is done inside",
        ),
        (
            {"x": torch.zeros(3, 3, 4, 5), "filters": torch.zeros(2, 9, 4, 5)},
            RuntimeError,
            r"want \[3 or 1, \.\.\., 4, 5\]",
        ),
        ({"backend": "gpu"}, ValueError, "backend: got 'gpu', want 'auto' or one of 'cuda', 'cpu', 'reference'"),
        ({"backend": "cuda"}, BackendError, "no backend can run this call: cuda: "),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_bad_input(change, error, text):
    args = {"x": torch.zeros(1, 3, 4, 5), "filters": torch.zeros(1, 9, 4, 5), "kernel_size": 3, "border": "zeros"}
    args |= {"backend": "auto"} | change
    with pytest.raises(error, match=text):
        dynamic_filter(args.pop("x"), args.pop("filters"), args.pop("kernel_size"), **args)


@pytest.mark.cuda
def test_more_than_2_to_the_31_elements():
    h, w = 46_400, 46_400
    x = torch.rand((1, 1, h, w), device="cuda", dtype=torch.float16)
    f = torch.full((1, 1, h, w), 0.5, device="cuda", dtype=torch.float16)
    torch.testing.assert_close(dynamic_filter(x, f, 1, backend="cuda"), x * 0.5)
