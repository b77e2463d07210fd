"""``drb_head`` on every back end against the float64 reference."""

import math

import numpy as np
import pytest
import torch

from lfdeblur_ops import BackendError, backends, drb_head, reference
from lfdeblur_ops.testing import FLOATS, REORDERED_SUMS, TOL

from ..backends import DEVICE, compiler
from .checks import assert_bounded, opcheck, skip_unfit

SHAPES = [(1, 1, 1, 1), (2, 3, 5, 7), (1, 3, 40, 33), (1, 5, 4, 70), (1, 2, 35, 1)]


@pytest.fixture(params=["reference", "cpu", pytest.param("triton", marks=pytest.mark.cuda)])
def backend(request):
    reason = backends("drb_head")[request.param]
    if reason != "ok" and request.param == "triton":
        pytest.skip(reason)
    assert reason == "ok"
    return request.param


@pytest.fixture
def device(backend):
    return DEVICE[backend]


def make(shape, k, dtype, device, *, features=(12, 5), layout="channels_last", image_dtype=None, grad=False):
    n, c, h, w = shape
    kernel, residual = features
    generator = torch.Generator().manual_seed(7)

    def normal(*size, scale=1.0, as_dtype=dtype):
        made = torch.randn(size, generator=generator, dtype=torch.float64) * scale
        return made.to(as_dtype).to(device)

    def feature(channels):
        made = normal(n, channels, h, w)
        if layout == "channels_last":
            return made.contiguous(memory_format=torch.channels_last)
        if layout == "slice":
            return torch.cat([made, made], 1).contiguous(memory_format=torch.channels_last)[:, channels:]
        if layout == "transposed":
            return made.transpose(2, 3).contiguous().transpose(2, 3)
        return made

    tensors = [
        feature(kernel),
        normal(k * k, kernel, scale=1 / (k * kernel**0.5)),
        normal(k * k, scale=0.1),
        feature(residual),
        normal(c, residual, scale=1 / residual**0.5),
        normal(c),
        normal(n, c, h, w, as_dtype=image_dtype or dtype),
    ]
    return [t.requires_grad_(grad) for t in tensors]


def expected(tensors, k, clip=(-math.inf, math.inf)):
    return reference.drb_head(*(t.detach().double() for t in tensors), k, 0.1, *clip)


def assert_gradients(tensors, k, weight, backend, clip=(-math.inf, math.inf)):
    got = [None, *(t.grad for t in tensors)]
    assert_bounded("drb_head", got, [*tensors, k, 0.1, *clip], weight, backend, options=(1.0, -math.inf, math.inf))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_matches_float64_reference(backend, device, dtype, shape):
    skip_unfit(backend, dtype)
    for k, features in ((1, (1, 1)), (3, (12, 5)), (7, (64, 64)), (9, (8, 17)), (15, (3, 4))):
        tensors = make(shape, k, dtype, device, features=features)
        got = drb_head(*tensors, k, backend=backend)
        assert got.is_contiguous()
        torch.testing.assert_close(got, expected(tensors, k).to(dtype), **TOL[dtype])


@pytest.mark.parametrize("layout", ["channels_last", "slice", "transposed", "contiguous"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_layouts_and_gradients(backend, device, dtype, layout):
    skip_unfit(backend, dtype)
    for shape, k, clip in (((2, 3, 19, 37), 7, None), ((1, 5, 18, 6), 3, (-0.5, 1.0)), ((1, 3, 1, 33), 5, None)):
        tensors = make(shape, k, dtype, device, features=(64, 20), layout=layout, grad=True)
        out = drb_head(*tensors, k, clip=clip, backend=backend)
        weight = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(device, dtype)
        out.backward(weight)
        clip = clip or (-math.inf, math.inf)
        want = expected(tensors, k, clip)
        torch.testing.assert_close(out, want.to(dtype), **TOL[dtype])
        assert_gradients(tensors, k, weight, backend, clip)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_image_in_float32_beside_narrow_features(backend, device, dtype):
    tensors = make((1, 3, 20, 35), 7, dtype, device, features=(16, 8), image_dtype=torch.float32, grad=True)
    out = drb_head(*tensors, 7, backend=backend)
    assert out.dtype == torch.float32
    weight = torch.randn(out.shape, device=device)
    out.backward(weight)
    want = expected(tensors, 7)
    torch.testing.assert_close(out, want.float(), **TOL[torch.float32])
    assert_gradients(tensors, 7, weight, backend)


def test_gradients_of_a_scaled_loss_go_beyond_float16(backend, device):
    """What reaches the filters is larger than float16 holds; what reaches the features is not."""
    tensors = make((1, 3, 20, 35), 7, torch.float16, device, features=(16, 8), image_dtype=torch.float32)
    for weight in (tensors[1], tensors[4]):
        weight *= 2.0**-10
    for tensor in tensors:
        tensor.requires_grad_()
    weight = torch.randn(tensors[-1].shape, device=device) * 3e5
    wanted = [tensors[0], tensors[3], tensors[6]]
    got = torch.autograd.grad(drb_head(*tensors, 7, backend=backend), wanted, weight)
    doubles = [tensor.detach().double().requires_grad_() for tensor in tensors]
    exact = torch.autograd.grad(
        reference.drb_head(*doubles, 7, 0.1, -math.inf, math.inf), [doubles[0], doubles[3], doubles[6]], weight.double()
    )
    for one, other in zip(got, exact, strict=True):
        assert bool(torch.isfinite(one).all())
        assert float((one - other).norm() / other.norm()) < 2e-3


@pytest.mark.parametrize("clip", [None, (-0.4, 0.7)])
def test_gradcheck(backend, device, clip):
    skip_unfit(backend, torch.float64)
    tensors = make((1, 2, 4, 3), 3, torch.float64, device, features=(3, 2), grad=True)
    assert torch.autograd.gradcheck(lambda *t: drb_head(*t, 3, clip=clip, backend=backend), tensors)


def test_opcheck(backend, device):
    if backend == "reference":
        pytest.skip("not an operator")
    forward, backward = [], []
    for layout in ("channels_last", "slice", "contiguous"):
        tensors = make((2, 3, 4, 5), 3, torch.float32, device, layout=layout, grad=True)
        options = (3, 0.1, -1.0, 1.0)
        forward.append((*tensors, *options))
        args = (torch.randn(2, 3, 4, 5, device=device), *(t.detach() for t in tensors), *options)
        for wanted in ((True, True, True), (False, True, False), (True, False, False)):
            backward.append((*args, *wanted))
    opcheck(torch.ops.lfdeblur.drb_head.default, *forward)
    opcheck(torch.ops.lfdeblur.drb_head_backward.default, *backward)


def test_compiles_without_graph_break(backend, device):
    tensors = make((1, 3, 8, 9), 5, torch.float32, device, grad=True)

    def call(*tensors):
        return drb_head(*tensors, 5, backend=backend).square().sum()

    compiled = torch.compile(call, fullgraph=True, backend=compiler(backend))
    grads, want = (torch.autograd.grad(form(*tensors), tensors) for form in (compiled, call))
    torch.testing.assert_close(grads, want, **REORDERED_SUMS)


def test_autocast_keeps_the_image(backend, device):
    tensors = make((1, 3, 6, 7), 3, torch.float32, device)
    with torch.autocast(device, dtype=torch.bfloat16):
        out = drb_head(*tensors, 3, backend=backend)
    assert out.dtype == torch.float32
    rounded = [*(t.bfloat16() for t in tensors[:6]), tensors[6]]
    torch.testing.assert_close(out, expected(rounded, 3).float(), **TOL[torch.float32])


def test_only_wanted_gradients_and_no_bias(backend, device):
    tensors = make((1, 3, 6, 37), 5, torch.float32, device, grad=True)
    drb_head(*tensors, 5, backend=backend).square().sum().backward()
    for i in range(7):
        inputs = [t.detach().clone() for t in tensors]
        inputs[i].requires_grad_()
        drb_head(*inputs, 5, backend=backend).square().sum().backward()
        assert all(t.grad is None for j, t in enumerate(inputs) if j != i)
        torch.testing.assert_close(inputs[i].grad, tensors[i].grad)
    bare = [t.detach() for t in tensors]
    zeroed = [torch.zeros_like(t) if i in (2, 5) else t for i, t in enumerate(bare)]
    bare[2] = bare[5] = None
    torch.testing.assert_close(drb_head(*bare, 5, backend=backend), drb_head(*zeroed, 5, backend=backend))


def test_one_by_one_weights(backend, device):
    tensors = make((1, 3, 6, 7), 3, torch.float32, device)
    want = drb_head(*tensors, 3, backend=backend)
    tensors[1], tensors[4] = (t[:, :, None, None] for t in (tensors[1], tensors[4]))
    torch.testing.assert_close(drb_head(*tensors, 3, backend=backend), want)


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5), (2, 3, 4, 0)], ids=str)
def test_empty(backend, device, shape):
    tensors = make(shape, 3, torch.float32, device, grad=True)
    out = drb_head(*tensors, 3, backend=backend)
    assert out.shape == shape
    out.sum().backward()
    for t in tensors:
        torch.testing.assert_close(t.grad, torch.zeros_like(t))


def test_values_that_are_not_finite_stay_local(backend, device):
    tensors = make((1, 3, 9, 40), 5, torch.float32, device)
    tensors[0][0, 1, 4, 10] = float("nan")
    tensors[3][0, 0, 2, 20] = float("nan")
    out = drb_head(*tensors, 5, clip=(-1, 1), backend=backend)
    bad = torch.isnan(out).any(1)[0].nonzero().tolist()
    assert bad == [[2, 20], [4, 10]]


def test_result_does_not_depend_on_threads():
    tensors = make((2, 3, 40, 37), 7, torch.float32, "cpu", features=(16, 8), grad=True)
    results = []
    threads = torch.get_num_threads()
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        out = drb_head(*tensors, 7, backend="cpu")
        results.append((out, *torch.autograd.grad(out.square().sum(), tensors)))
    torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("kernel_size", [(3, 3), [3, 3], np.int64(3)], ids=str)
def test_kernel_sizes_as_dynamic_filter_takes_them(kernel_size):
    tensors = (torch.rand(1, 6, 4, 5), torch.rand(9, 6), None, torch.rand(1, 7, 4, 5), torch.rand(3, 7), None)
    image = torch.rand(1, 3, 4, 5)
    assert torch.equal(drb_head(*tensors, image, kernel_size), drb_head(*tensors, image, 3))


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"image": "picture"}, TypeError, "image: got str, want a tensor"),
        ({"image": torch.zeros(3, 4, 5)}, RuntimeError, r"image: got shape \[3, 4, 5\], want 4 axes"),
        (
            {"image": torch.zeros(1, 3, 4, 5).double()},
            TypeError,
            "image: got dtype torch.float64, want that of kernel_",
        ),
        ({"image": torch.zeros(1, 3, 4, 5, device="meta")}, RuntimeError, "image: got device meta, want that of"),
        ({"image": torch.zeros(1, 3, 4, 6)}, RuntimeError, r"kernel_features: got shape .*, want \[1, any, 4, 6\]"),
        ({"kernel_features": torch.zeros(1, 6, 4, 5, dtype=torch.int32)}, TypeError, "kernel_features: got dtype"),
        ({"kernel_weight": torch.zeros(8, 6)}, RuntimeError, r"kernel_weight: got shape \[8, 6\], want \[9, 6\]"),
        ({"kernel_weight": torch.zeros(9, 6, 3, 3)}, RuntimeError, r"kernel_weight: got shape \[9, 6, 3, 3\]"),
        ({"kernel_weight": torch.zeros(9, 6).half()}, TypeError, "kernel_weight: got dtype torch.float16"),
        ({"kernel_weight": None}, TypeError, "kernel_weight: got NoneType, want a tensor"),
        ({"kernel_bias": torch.zeros(8)}, RuntimeError, r"kernel_bias: got shape \[8\], want \[9\]"),
        ({"residual_features": None}, TypeError, "residual_features: got None, want a tensor"),
        ({"residual_features": torch.zeros(1, 7, 4, 6)}, RuntimeError, "residual_features: got shape"),
        ({"residual_weight": torch.zeros(2, 7)}, RuntimeError, r"residual_weight: got shape \[2, 7\], want \[3, 7\]"),
        ({"residual_bias": torch.zeros(3, device="meta")}, RuntimeError, "residual_bias: got device meta"),
        ({"kernel_size": 4}, ValueError, "kernel_size: got 4, want an odd integer from 1 to 15"),
        (
            {"kernel_size": (3, 5)},
            ValueError,
            r"kernel_size: got \(3, 5\), want an odd integer from 1 to 15, or two equal",
        ),
        ({"kernel_size": None}, ValueError, "kernel_size: got None, want"),
        ({"kernel_size": True}, ValueError, "kernel_size: got True"),
        ({"negative_slope": -0.1}, ValueError, "negative_slope: got -0.1, want a number from 0 to 1"),
        ({"negative_slope": "0.1"}, TypeError, "negative_slope: got '0.1'"),
        ({"clip": (1, -1)}, ValueError, r"clip: got \(1, -1\), want None or \(low, high\)"),
        ({"clip": 1.0}, ValueError, "clip: got 1.0"),
        ({"clip": (None, 1)}, ValueError, r"clip: got \(None, 1\)"),
        ({"backend": "gpu"}, ValueError, "backend: got 'gpu', want 'auto' or one of 'triton', 'cpu', 'reference'"),
        ({"backend": "triton"}, BackendError, "no backend can run this call: triton: "),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_bad_input(change, error, text):
    args = {
        "kernel_features": torch.zeros(1, 6, 4, 5),
        "kernel_weight": torch.zeros(9, 6),
        "kernel_bias": None,
        "residual_features": torch.zeros(1, 7, 4, 5),
        "residual_weight": torch.zeros(3, 7),
        "residual_bias": torch.zeros(3),
        "image": torch.zeros(1, 3, 4, 5),
        "kernel_size": 3,
    }
    with pytest.raises(error, match=text):
        drb_head(**(args | change))
