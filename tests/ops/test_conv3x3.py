"""``conv3x3`` on every back end against the float64 reference."""

import pytest
import torch

from lfdeblur_ops import BackendError, _gradients, conv3x3, reference
from lfdeblur_ops.testing import FLOATS, REORDERED_SUMS, TOL_HIDDEN

from ..backends import DEVICE, compiler
from .checks import BACKENDS, LAYOUTS, assert_bounded, check, draw, fit, opcheck, require, skip_unfit

# Of x and x2: the result is laid out as x.
PAIRS = [*((layout, layout) for layout in LAYOUTS), ("channels_last", "contiguous"), ("contiguous", "slice")]


@pytest.fixture(params=[*BACKENDS, "winograd"])
def backend(request):
    return require("conv3x3", request.param)


@pytest.fixture
def device(backend):
    return DEVICE[backend]


def make(size, c, o, *, c2=0, stride=1, residual=True, bias=True, x_layout="channels_last", x2_layout=None, **options):
    """x, x2, weight, bias, residual, stride: the reference's arguments but the last."""
    n, h, w = size
    x = draw(n, c, h, w, layout=x_layout, **options)
    x2 = draw(n, c2, h, w, layout=x2_layout or x_layout, **options) if c2 else None
    weight = draw(o, c + c2, 3, 3, scale=(9 * (c + c2)) ** -0.5, **options)
    added = draw(n, o, -(-h // stride), -(-w // stride), layout="channels_last", **options) if residual else None
    return [x, x2, weight, draw(o, **options) if bias else None, added, stride]


def run(arguments, slope, backend):
    x, x2, weight, bias, residual, stride = arguments
    activation = None if slope == 1 else "leaky_relu"
    options = {"activation": activation, "negative_slope": 0.1 if slope == 1 else slope}
    return conv3x3(x, weight, bias, residual=residual, x2=x2, stride=stride, backend=backend, **options)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(
    ("c", "c2", "o", "stride"), [(3, 0, 32, 1), (6, 0, 32, 1), (32, 0, 64, 2), (20, 12, 33, 1), (1, 0, 1, 1)]
)
def test_matches_float64_reference(backend, device, dtype, c, c2, o, stride):
    skip_unfit(backend, dtype, stride)
    c, c2, o = fit(backend, c, c2, o)
    for slope in (1.0, 0.1, 0.0):
        arguments = make((2, 9, 14), c, o, c2=c2, stride=stride, dtype=dtype, device=device, grad=True)
        check("conv3x3", lambda a=arguments, s=slope: run(a, s, backend), [*arguments, slope], backend)


@pytest.mark.parametrize("dtype", FLOATS[1:], ids=str)
def test_a_small_gradient_that_is_wrong_is_seen(dtype):
    """Of a channel that is a thousandth of the others."""
    arguments = [*make((1, 9, 14), 4, 8, dtype=dtype, grad=True), 0.1]
    with torch.no_grad():
        arguments[0][:, 0] /= 1000
    out = run(arguments[:-1], 0.1, "cpu")
    tensors, grad = [a for a in arguments if isinstance(a, torch.Tensor)], torch.randn_like(out)
    got = [out, *torch.autograd.grad(out, tensors, grad)]
    assert_bounded("conv3x3", got, arguments, grad)
    got[2][:, 0] = 0
    with pytest.raises(AssertionError, match="gradient of tensor 2"):
        assert_bounded("conv3x3", got, arguments, grad)


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 1, 7), (2, 8, 1), (1, 17, 33)], ids=str)
def test_sizes(backend, device, size):
    c, o = fit(backend, 5, 7)
    for stride in (1,) if backend == "winograd" else (1, 2):
        arguments = make(size, c, o, stride=stride, device=device, grad=True)
        check("conv3x3", lambda a=arguments: run(a, 0.1, backend), [*arguments, 0.1], backend)


@pytest.mark.parametrize("layouts", PAIRS, ids="-".join)
def test_layouts_and_absent_tensors(backend, device, layouts):
    for present in ({"residual": False}, {"bias": False}, {"residual": False, "bias": False}):
        options = dict(zip(("x_layout", "x2_layout"), layouts, strict=True)) | present
        arguments = make((2, 6, 11), 16, 32, c2=16, device=device, grad=True, **options)
        check("conv3x3", lambda a=arguments: run(a, 0.1, backend), [*arguments, 0.1], backend)


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 3, 0, 5), (2, 3, 4, 0)], ids=str)
def test_empty(backend, device, shape):
    c, o = fit(backend, shape[1], 8)
    x = draw(shape[0], c, *shape[2:], device=device, grad=True)
    weight = draw(o, c, 3, 3, device=device, grad=True)
    out = conv3x3(x, weight, activation="leaky_relu", backend=backend)
    assert out.shape == (shape[0], o, *shape[2:])
    out.sum().backward()
    assert x.grad.shape == x.shape
    torch.testing.assert_close(weight.grad, torch.zeros_like(weight))


def test_only_wanted_gradients(backend, device):
    c, c2, o = fit(backend, 4, 4, 8)
    full = make((1, 5, 6), c, o, c2=c2, device=device, grad=True)
    grads = torch.autograd.grad(run(full, 0.1, backend).square().sum(), full[:5])
    for i in range(5):
        some = [a.detach().requires_grad_(j == i) if j < 5 else a for j, a in enumerate(full)]
        (grad,) = torch.autograd.grad(run(some, 0.1, backend).square().sum(), some[i])
        torch.testing.assert_close(grad, grads[i], **REORDERED_SUMS)


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_some_pictures_at_a_time(monkeypatch, bias, contiguous):
    """On the CPU, as for batches whose copies would take much memory; with and without copies of our own."""
    monkeypatch.setattr(_gradients, "_CONTIGUOUS_PAYS", contiguous)
    monkeypatch.setattr(_gradients, "_COPIED", 2 * 4 * 10 * 7 * (5 + 6))  # of two pictures
    arguments = make((5, 10, 7), 5, 6, bias=bias, grad=True)
    check("conv3x3", lambda: run(arguments, 0.1, "cpu"), [*arguments, 0.1])


@pytest.mark.parametrize("stride", [1, 2])
def test_gradcheck(backend, device, stride):
    skip_unfit(backend, torch.float64)
    x, x2, weight, bias, residual, _ = make(
        (1, 3, 4), 2, 2, c2=1, stride=stride, dtype=torch.float64, device=device, grad=True
    )

    def call(x, x2, weight, bias, residual):
        return run((x, x2, weight, bias, residual, stride), 0.1, backend)

    assert torch.autograd.gradcheck(call, (x, x2, weight, bias, residual))


def test_opcheck(backend, device):
    if backend == "reference":
        pytest.skip("not an operator")
    c, c2 = fit(backend, 8, 8)
    cases = []
    for stride, slope in ((1, 0.1), (2, 1.0)):
        for layout, other in PAIRS if backend != "winograd" or stride == 1 else ():
            options = {"x_layout": layout, "x2_layout": other, "device": device, "grad": True}
            arguments = make((2, 5, 6), c, 16, c2=c2, stride=stride, **options)
            algorithms = ("winograd", "fast") if backend == "winograd" else ("direct",)
            cases += [(*arguments, slope, algorithm) for algorithm in algorithms]
    opcheck(torch.ops.lfdeblur.conv3x3.default, *cases)


def test_compiles_without_graph_break(backend, device):
    c, c2 = fit(backend, 8, 8)
    arguments = make((1, 6, 7), c, 16, c2=c2, device=device, grad=True)

    def call(*tensors):
        return run((*tensors, 1), 0.1, backend).square().sum()

    compiled = torch.compile(call, fullgraph=True, backend=compiler(backend))
    got, want = (torch.autograd.grad(form(*arguments[:5]), arguments[:5]) for form in (compiled, call))
    torch.testing.assert_close(got, want, **REORDERED_SUMS)


def test_autocast(backend, device):
    skip_unfit(backend, torch.bfloat16)
    arguments = make((1, 6, 7), 8, 16, c2=8, device=device)
    with torch.autocast(device, dtype=torch.bfloat16):
        out = run(arguments, 0.1, backend)
    assert out.dtype == torch.bfloat16
    rounded = [a.bfloat16() if isinstance(a, torch.Tensor) else a for a in arguments]
    check("conv3x3", lambda: out, [*rounded, 0.1])


def test_winograd_gradients_of_many_tiles():
    """More parts than one, blocks of outputs, tiles that end at the border; the same result whatever the threads."""
    arguments = make((2, 61, 70), 144, 80, c2=16, residual=False, grad=True)
    out = check("conv3x3", lambda: run(arguments, 0.1, "winograd"), [*arguments, 0.1], "winograd")
    threads = torch.get_num_threads()
    grads = []
    for count in (1, 2):
        torch.set_num_threads(count)
        grads.append(torch.autograd.grad(run(arguments, 0.1, "winograd"), arguments[:4], torch.ones_like(out)))
    torch.set_num_threads(threads)
    torch.testing.assert_close(*grads, rtol=0, atol=0)


def test_winograd_is_taken_by_name_only():
    x, weight = draw(1, 16, 6, 7), draw(16, 16, 3, 3)
    assert torch.equal(conv3x3(x, weight), conv3x3(x, weight, backend="cpu"))
    assert not torch.equal(conv3x3(x, weight), conv3x3(x, weight, backend="winograd"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"x": draw(1, 15, 6, 7), "weight": draw(16, 15, 3, 3)}, "x has 15 channels, want a multiple of 16"),
        ({"weight": draw(8, 16, 3, 3)}, "the result has 8 channels, want a multiple of 16"),
        ({"x2": draw(1, 3, 6, 7), "weight": draw(16, 19, 3, 3)}, "x2 has 3 channels, want a multiple of 16"),
        ({"stride": 2}, "no kernel for stride 2"),
        ({"x": draw(1, 16, 6, 7).double(), "weight": draw(16, 16, 3, 3).double()}, "no kernel for float64"),
        ({"x": draw(1, 16, 6, 7).to("meta"), "weight": draw(16, 16, 3, 3).to("meta")}, "the tensors are on meta"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_winograd_tells_what_it_cannot_run(change, text):
    options = {"x": draw(1, 16, 6, 7), "weight": draw(16, 16, 3, 3)} | change
    with pytest.raises(BackendError, match=f"no backend can run this call: winograd: {text}"):
        conv3x3(options.pop("x"), options.pop("weight"), backend="winograd", **options)


def test_op_with_winograd_tells_what_it_cannot_run():
    x, weight = draw(1, 16, 6, 7), draw(16, 16, 3, 3)
    with pytest.raises(RuntimeError, match="conv3x3: winograd: no kernel for stride 2"):
        torch.ops.lfdeblur.conv3x3(x, None, weight, None, None, 2, 1.0, "winograd")
    with pytest.raises(RuntimeError, match="residual_block: winograd: want multiples of 16 channels"):
        torch.ops.lfdeblur.residual_block(x[:, :15], weight[:15, :15], None, weight[:15, :15], None, 1.0, "fast")
    with pytest.raises(RuntimeError, match="algorithm: want 'direct', 'winograd' or 'fast', got 'quick'"):
        torch.ops.lfdeblur.conv3x3(x, None, weight, None, None, 1, 1.0, "quick")


@pytest.mark.parametrize(
    ("size", "like"), [((2, 31, 33), "cpu"), ((2, 32, 32), "winograd"), ((1, 1, 2048), "winograd")]
)
def test_fast_is_winograd_from_2048_pixels_on(size, like):
    """Result and gradients, channels-last whatever runs."""
    arguments = make(size, 16, 32, c2=16, x_layout="channels_last", x2_layout="channels_last", grad=True)
    out = check("conv3x3", lambda: run(arguments, 0.1, "fast"), [*arguments, 0.1], like)
    assert torch.equal(out, run(arguments, 0.1, like))
    contiguous = [a.detach().contiguous() if isinstance(a, torch.Tensor) else a for a in arguments]
    assert run(contiguous, 0.1, "fast").is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("change", [{"stride": 2}, {"c": 15}, {"dtype": torch.float64}, {"autocast": True}], ids=str)
def test_fast_is_auto_where_winograd_cannot_run(change):
    options = {"c": 16, "stride": 1, "dtype": torch.float32, "autocast": False} | change
    autocast = options.pop("autocast")
    arguments = make((2, 40, 40), options.pop("c"), 16, **options)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        assert torch.equal(run(arguments, 0.1, "fast"), run(arguments, 0.1, "auto"))


def test_onednn_can_be_switched_off():
    x, weight = draw(1, 16, 6, 7), draw(16, 16, 3, 3)
    with torch.backends.mkldnn.flags(enabled=False):
        assert torch.equal(conv3x3(x, weight), conv3x3(x, weight, backend="reference"))
        with pytest.raises(BackendError, match="cpu: oneDNN is switched off"):
            conv3x3(x, weight, backend="cpu")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"grad": draw(1, 16, 4, 5)}, "grad: want channels-last"),
        ({"x": draw(1, 24, 4, 5, layout="channels_last")}, "x: want .* a multiple of 16 channels"),
        ({"x2": draw(1, 16, 4, 6, layout="channels_last")}, "x2: want shape"),
        ({"activated": draw(1, 32, 4, 5, layout="channels_last")}, "activated: want the channels of grad"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_direct_calls_of_winograd_are_memory_safe(change, text):
    whole = draw(1, 16, 4, 5, layout="channels_last")
    arguments = {"grad": whole, "activated": whole, "x": whole, "x2": None, "negative_slope": 0.1} | change
    with pytest.raises(RuntimeError, match=text):
        torch.ops.lfdeblur.winograd_weight_gradient(*arguments.values())


@pytest.mark.parametrize(
    ("weight", "flipped", "text"),
    [
        (draw(16, 8, 3, 3).double(), False, "want contiguous float32"),
        (draw(16, 8, 4, 4), False, "want shape"),
        (draw(16, 8, 3, 3), True, "want a multiple of 16 outputs"),
    ],
)
def test_direct_calls_of_winograd_weight_are_memory_safe(weight, flipped, text):
    with pytest.raises(RuntimeError, match=text):
        torch.ops.lfdeblur.winograd_weight(weight, flipped)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"x": "picture"}, TypeError, "x: got str, want a tensor"),
        ({"x": torch.zeros(3, 4, 5)}, RuntimeError, r"x: got shape \[3, 4, 5\], want 4 axes"),
        ({"x": torch.zeros(1, 3, 4, 5, dtype=torch.uint8)}, TypeError, "x: got dtype torch.uint8"),
        ({"weight": None}, TypeError, "weight: got None"),
        ({"weight": torch.zeros(8, 4, 3, 3)}, RuntimeError, r"weight: got shape \[8, 4, 3, 3\], want \[any, 3, 3, 3\]"),
        ({"weight": torch.zeros(8, 3, 3, 3).half()}, TypeError, "weight: got dtype torch.float16, want that of x"),
        ({"bias": torch.zeros(7)}, RuntimeError, r"bias: got shape \[7\], want \[8\]"),
        ({"x2": torch.zeros(1, 2, 4, 6)}, RuntimeError, r"x2: got shape .*, want \[1, any, 4, 5\]"),
        ({"residual": torch.zeros(1, 8, 4, 4)}, RuntimeError, r"residual: got shape .*, want \[1, 8, 4, 5\]"),
        ({"residual": torch.zeros(1, 8, 4, 5, device="meta")}, RuntimeError, "residual: got device meta"),
        ({"stride": 3}, ValueError, "stride: got 3, want 1 or 2"),
        ({"stride": 2.0}, ValueError, "stride: got 2.0, want 1 or 2"),
        ({"activation": "relu"}, ValueError, "activation: got 'relu', want None or 'leaky_relu'"),
        ({"negative_slope": 2.0}, ValueError, "negative_slope: got 2.0, want a number from 0 to 1"),
        ({"backend": "cuda"}, ValueError, "backend: got 'cuda'"),
        ({"backend": "triton"}, BackendError, "no backend can run this call: triton: "),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_bad_input(change, error, text):
    options = {"x": torch.zeros(1, 3, 4, 5), "weight": torch.zeros(8, 3, 3, 3), "bias": None} | change
    with pytest.raises(error, match=text):
        conv3x3(options.pop("x"), options.pop("weight"), options.pop("bias"), **options)


@pytest.mark.parametrize("width", [1, 2])
def test_bfloat16_results_one_pixel_wide(width):
    """Where oneDNN reads beyond its input: seen with AMX from some ten rows of results on."""
    x, _, weight, bias, residual, stride = make((1, 100, width), 16, 32, stride=2, dtype=torch.bfloat16)
    wide = [t.double() for t in (x, weight, bias, residual)]
    want = reference.conv3x3(wide[0], None, *wide[1:], stride, 0.1).to(torch.bfloat16)
    got = conv3x3(x, weight, bias, activation="leaky_relu", residual=residual, stride=stride)
    torch.testing.assert_close(got, want, **TOL_HIDDEN[torch.bfloat16])
