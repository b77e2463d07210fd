"""``dynamic_filter_separable`` on every back end against the float64 reference, and against ``dynamic_filter``."""

import subprocess
import sys

import pytest
import torch

from lfdeblur_ops import dynamic_filter, dynamic_filter_separable, reference
from lfdeblur_ops.testing import FLOATS, TOL

from ..backends import compiler
from .checks import opcheck

BORDERS = ["replicate", "zeros", "reflect", "circular", "valid"]
SHAPES = [(1, 1, 1, 1), (2, 3, 9, 17), (1, 4, 16, 9), (1, 6, 6, 71), (1, 2, 40, 3)]


def make(shape, size, dtype, device, *, groups=1, border="replicate", dilation=1, layout="contiguous", grad=False):
    n, _, h, w = shape
    reach = [dilation * (k - 1) if border == "valid" else 0 for k in size]
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    positions = (max(h - reach[0], 0), max(w - reach[1], 0))
    f = torch.randn((n, groups, sum(size), *positions), generator=generator, dtype=torch.float64) / max(size)
    x, f = (t.to(device, dtype) for t in (x, f))
    if layout == "channels_last":
        x, f = x.contiguous(memory_format=torch.channels_last), f.movedim((1, 2), (-2, -1)).contiguous()
        f = f.movedim((-2, -1), (1, 2))
    elif layout == "strided":
        x, f = torch.stack([x, x], -1)[..., 0], f.transpose(-1, -2).contiguous().transpose(-1, -2)
    return x.requires_grad_(grad), f.requires_grad_(grad)


def compare(x, f, size, backend, **options):
    """Result and gradients."""
    x, f = (t.detach().clone(memory_format=torch.preserve_format).requires_grad_() for t in (x, f))
    wide = [t.detach().double().requires_grad_() for t in (x, f)]
    out = dynamic_filter_separable(x, f, size, backend=backend, **options)
    expected = dynamic_filter_separable(*wide, size, backend="reference", **options)
    grad = torch.randn(out.shape, dtype=torch.float64).to(out)
    out.backward(grad)
    expected.backward(grad.double())
    for got, want in ((out, expected), (x.grad, wide[0].grad), (f.grad, wide[1].grad)):
        torch.testing.assert_close(got, want.to(got.dtype), **TOL[got.dtype])
    return out


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_matches_float64_reference(backend, device, dtype, border):
    for shape in SHAPES:
        for size in ((1, 1), (3, 3), (5, 1), (1, 7), (9, 3)):
            beyond = [k // 2 - extent for k, extent in zip(size, shape[-2:], strict=True)]
            if (border == "reflect" and max(beyond) >= 0) or (border == "circular" and max(beyond) > 0):
                continue
            x, f = make(shape, size, dtype, device, border=border)
            if f.numel():
                compare(x, f, size, backend, border=border)


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "strided"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_groups_dilation_and_layouts(backend, device, dtype, layout):
    for groups in (1, 2, 6):
        x, f = make((2, 6, 9, 21), (5, 3), dtype, device, groups=groups, layout=layout)
        out = compare(x, f, (5, 3), backend, dilation=(1, 2), border="reflect")
        assert backend == "reference" or out.is_contiguous(
            memory_format=torch.channels_last if layout == "channels_last" else torch.contiguous_format
        )
        flat = f.flatten(1, 2)
        same = dynamic_filter_separable(
            x, flat, (5, 3), groups=groups, dilation=(1, 2), border="reflect", backend=backend
        )
        torch.testing.assert_close(same, out, **TOL[dtype])


def test_it_is_the_filter_of_the_products(device):
    x, f = make((2, 6, 9, 14), (5, 3), torch.float64, device, groups=2)
    kernels = (f[:, :, :5, None] * f[:, :, None, 5:]).flatten(2, 3)
    got = dynamic_filter_separable(x, f, (5, 3))
    torch.testing.assert_close(got, dynamic_filter(x, kernels, (5, 3)), **TOL[torch.float64])


def test_the_largest_kernel_and_many_rows(backend, device):
    """Several blocks of positions, several bands of rows, more channels than are summed together."""
    x, f = make((1, 1, 3, 90), (51, 51), torch.float64, device)
    compare(x, f, 51, backend)
    if backend == "reference":
        return
    x, f = make((1, 9, 150, 11), (7, 5), torch.float32, device)
    compare(x, f, (7, 5), backend)


@pytest.mark.parametrize("border", BORDERS)
def test_gradcheck(backend, device, border):
    x, f = make((1, 2, 4, 3), (3, 3), torch.float64, device, border=border, grad=True)
    call = lambda x, f: dynamic_filter_separable(x, f, 3, border=border, backend=backend)  # noqa: E731
    assert torch.autograd.gradcheck(call, (x, f))
    assert torch.autograd.gradgradcheck(call, (x, f), fast_mode=True)


def test_opcheck(backend, device):
    if backend == "reference":
        pytest.skip("not an operator")
    forward, backward = [], []
    for layout in ("contiguous", "channels_last", "strided"):
        x, f = make((2, 3, 4, 5), (3, 3), torch.float32, device, layout=layout, grad=True)
        f = f.unflatten(2, (-1, 1))
        forward.append((x, f, (3, 3), "zeros"))
        backward.append((torch.randn_like(x), x.detach(), f.detach(), (3, 3), "replicate", (1, 1), True, True))
    opcheck(torch.ops.lfdeblur.dynamic_filter_separable.default, *forward)
    opcheck(torch.ops.lfdeblur.dynamic_filter_separable_backward.default, *backward)


def test_compiles_without_graph_break(backend, device):
    x, f = make((1, 3, 8, 9), (5, 5), torch.float32, device, grad=True)

    def call(x, f):
        return dynamic_filter_separable(x * 2, f, 5, backend=backend).sum()

    torch.compile(call, fullgraph=True, backend=compiler(backend))(x, f).backward()
    compiled = x.grad.clone(), f.grad.clone()
    x.grad = f.grad = None
    call(x, f).backward()
    torch.testing.assert_close(compiled, (x.grad, f.grad), **TOL[torch.float32])


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5), (2, 3, 4, 0)], ids=str)
def test_empty(backend, device, shape):
    x, f = make(shape, (3, 3), torch.float32, device, grad=True)
    out = dynamic_filter_separable(x, f, 3, backend=backend)
    assert out.shape == x.shape
    out.sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))
    assert torch.equal(f.grad, torch.zeros_like(f))


def test_only_wanted_gradients(backend, device):
    x, f = make((1, 3, 6, 7), (3, 3), torch.float32, device)
    both = [t.clone().requires_grad_() for t in (x, f)]
    dynamic_filter_separable(*both, 3, backend=backend).square().sum().backward()
    for i in range(2):
        inputs = [x.clone(), f.clone()]
        inputs[i].requires_grad_()
        dynamic_filter_separable(*inputs, 3, backend=backend).square().sum().backward()
        assert inputs[1 - i].grad is None
        torch.testing.assert_close(inputs[i].grad, both[i].grad)


def test_values_that_are_not_finite_stay_local(backend, device):
    x, f = make((1, 3, 9, 20), (5, 5), torch.float32, device)
    x[0, 1, 4, 10] = float("inf")
    out = dynamic_filter_separable(x, f, 5, backend=backend)
    assert not out[0, 1, 2:7, 8:13].isfinite().any()
    out[0, 1, 2:7, 8:13] = 0
    assert out.isfinite().all()


def test_autocast_casts_like_a_convolution(backend, device):
    x, f = make((1, 3, 6, 7), (3, 3), torch.float32, device)
    with torch.autocast(device, dtype=torch.bfloat16):
        out = dynamic_filter_separable(x, f.bfloat16(), 3, backend=backend)
    assert out.dtype == torch.bfloat16
    wide = x.bfloat16().double(), f.bfloat16().double()
    expected = dynamic_filter_separable(*wide, 3, backend="reference").bfloat16()
    torch.testing.assert_close(out, expected, **TOL[torch.bfloat16])


def test_result_does_not_depend_on_threads():
    x, f = make((2, 3, 33, 37), (7, 7), torch.float32, "cpu", grad=True)
    results, threads = [], torch.get_num_threads()
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        x.grad = f.grad = None
        out = dynamic_filter_separable(x, f, 7, backend="cpu")
        out.square().sum().backward()
        results.append((out.detach().clone(), x.grad.clone(), f.grad.clone()))
    torch.set_num_threads(threads)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)


def test_every_instruction_set(tmp_path):
    """In processes of their own, which share the import of PyTorch: the highest one is chosen at the first call."""
    code = """
import os, sys, torch
for level in ("baseline", "avx2", "avx512"):
    if os.fork():
        os.wait()
        continue
    os.environ["LFDEBLUR_CPU_ISA"] = level
    from lfdeblur_ops import dynamic_filter_separable
    torch.set_num_threads(1)
    x, f = (torch.linspace(-1, 1, c * 9 * 41).sin().view(1, c, 9, 41).requires_grad_() for c in (3, 12))
    out = dynamic_filter_separable(x, f, (7, 5), backend="cpu")
    torch.save([out, *torch.autograd.grad(out.square().sum(), (x, f))], f"{sys.argv[1]}/{level}")
    break
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = [torch.load(tmp_path / level) for level in ("baseline", "avx2", "avx512")]
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], **TOL[torch.float32])


def test_filters_of_one_picture_serve_all(backend, device):
    x, f = make((3, 2, 3, 4), (3, 3), torch.float64, device, grad=True)
    one = f.detach()[:1].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, f: dynamic_filter_separable(x, f, 3, backend=backend), (x, one))


def test_kernel_size_is_read_from_the_filters():
    x, f = make((1, 3, 5, 7), (5, 5), torch.float32, "cpu")
    expected = dynamic_filter_separable(x, f, 5)
    for filters in (f, f.flatten(1, 2)):
        assert torch.equal(dynamic_filter_separable(x, filters), expected)
    with pytest.raises(
        ValueError, match=r"kernel_size: got None, and 1 \(3 groups\) and 3 \(1 group\) fits 6 channels"
    ):
        dynamic_filter_separable(x, torch.zeros(1, 6, 5, 7))


def test_decomposes_and_exports():
    from lfdeblur_ops import decompositions

    class Layer(torch.nn.Module):
        def forward(self, x, f):
            return dynamic_filter_separable(x, f, 3, border="reflect")

    x, f = make((1, 3, 6, 7), (3, 3), torch.float32, "cpu")
    program = torch.export.export(Layer(), (x, f))
    assert "dynamic_filter_separable" in str(program.graph)
    plain = program.run_decompositions(torch.export.default_decompositions() | decompositions())
    assert "lfdeblur" not in str(plain.graph)
    for exported in (program, plain):
        torch.testing.assert_close(exported.module()(x, f), Layer()(x, f), **TOL[torch.float32])


def test_reference_is_exported():
    x, f = make((1, 3, 5, 7), (3, 3), torch.float64, "cpu")
    wide = reference.dynamic_filter_separable(x, f.unflatten(2, (-1, 1)), (3, 3))
    torch.testing.assert_close(dynamic_filter_separable(x, f, 3), wide, **TOL[torch.float64])


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"x": torch.zeros(3, 4, 5)}, RuntimeError, r"x: got shape \[3, 4, 5\], want 4 axes"),
        (
            {"filters": torch.zeros(6, 4, 5)},
            RuntimeError,
            r"filters: got shape \[6, 4, 5\], want 4 axes \[N, G\*\(kh\+kw\), H, W\], or 5: \[N, G, kh\+kw, H, W\]",
        ),
        ({"filters": torch.zeros(1, 6, 4, 5).bfloat16()}, TypeError, "filters: got dtype torch.bfloat16"),
        ({"filters": torch.zeros(1, 9, 4, 5)}, RuntimeError, r"filters: got 9 channels, want \(kh\+kw\) = 6"),
        (
            {"filters": torch.zeros(1, 2, 6, 4, 5)},
            RuntimeError,
            r"want \[N, G, \(kh\+kw\) = 6, H, W\] with G a divisor",
        ),
        ({"filters": torch.zeros(1, 6, 4, 6)}, RuntimeError, r"filters: got shape \[1, 6, 4, 6\]"),
        ({"kernel_size": 4}, ValueError, "kernel_size: got 4, want an odd integer from 1 to 51"),
        ({"groups": 2}, ValueError, "groups: got 2, want a divisor of the 3 channels of x"),
        ({"border": "mirror"}, ValueError, "border: got 'mirror', want 'replicate', 'zeros'"),
        ({"dilation": 0}, ValueError, "dilation: got 0"),
        ({"backend": "gpu"}, ValueError, "backend: got 'gpu', want 'auto' or one of 'cuda', 'cpu', 'reference'"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_bad_input(change, error, text):
    args = {"x": torch.zeros(1, 3, 4, 5), "filters": torch.zeros(1, 6, 4, 5), "kernel_size": 3} | change
    with pytest.raises(error, match=text):
        dynamic_filter_separable(args.pop("x"), args.pop("filters"), args.pop("kernel_size"), **args)


def test_direct_calls_are_memory_safe():
    x, f = torch.zeros(1, 3, 4, 5), torch.zeros(1, 6, 4, 5)
    op = torch.ops.lfdeblur.dynamic_filter_separable
    for filters, size in ((f[:, :5], (3, 3)), (f, (5, 3)), (f[..., :4], (3, 3)), (f, (2, 4))):
        with pytest.raises(RuntimeError, match="dynamic_filter"):
            op(x, filters, size)


def test_flops():
    from torch.utils.flop_counter import FlopCounterMode

    x, f = make((2, 3, 6, 7), (3, 5), torch.float32, "cpu", grad=True)
    with FlopCounterMode(display=False) as counter:
        out = dynamic_filter_separable(x, f, (3, 5))
        out.sum().backward()
    assert counter.get_total_flops() == 2 * out.numel() * (3 * 6 + 3 * 6 + 3 * 6 + 5 * 4)
