"""The optimised network against the plain one, on real pictures too; training through the fused blocks."""

import contextlib
import copy
import pickle
import subprocess
import sys
from functools import partial

import pytest
import torch
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from lfdeblur_models import DRBNet, OptimizedDRBNet, deblur, optimize
from lfdeblur_models.inference.engines import cpu_bands
from lfdeblur_models.io.images import read_image
from lfdeblur_models.networks import blocks
from lfdeblur_models.networks.official import renamed
from lfdeblur_models.networks.reference import straightforward, unfold_fac
from lfdeblur_ops import use_backend
from lfdeblur_ops.testing import FLOAT64_ROUNDINGS, MANY_ROUNDINGS, NETWORK_GRADIENT, NETWORK_GRADIENT_TF32

from ..data_paths import data_folder
from ..natural import natural, psnr
from ..networks.official_weights import official_weights
from ..networks.pictures import VIEWS, pictures

KINDS = ("single", "dual")


@pytest.fixture(scope="module", params=KINDS)
def net(request):
    """The paper's network with weights under which every branch counts."""
    return DRBNet.from_official(official_weights(request.param)).eval()


@pytest.fixture(scope="module")
def optimized(net):
    return optimize(net)


@torch.no_grad()
def plain(net, inputs):
    return net(**inputs)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 4), (8, 12), (17, 33), (95, 130)], ids=str)
def test_float32_to_rounding(net, optimized, size):
    inputs = pictures(net.views, *size)
    got = optimized(**inputs)
    assert got.shape == (1, 3, *size)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, plain(net, inputs), rtol=0, atol=MANY_ROUNDINGS)


@pytest.mark.parametrize("n", [0, 2])
def test_batches(net, optimized, n):
    inputs = pictures(net.views, 16, 24, n=n)
    torch.testing.assert_close(optimized(**inputs), plain(net, inputs), rtol=0, atol=MANY_ROUNDINGS)


def test_bands_do_not_show(net, optimized, monkeypatch):
    inputs = pictures(net.views, 139, 41)
    whole = optimized(**inputs)
    monkeypatch.setattr(cpu_bands, "BAND_BYTES", 0)  # as many bands as can be
    torch.testing.assert_close(optimized(**inputs), whole, rtol=0, atol=MANY_ROUNDINGS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_narrow_dtypes_on_real_pictures(kind, dtype):
    net = DRBNet.from_official(official_weights(kind)).eval()
    fast = optimize(net, dtype)
    for name in ("IMG_2385.png", "IMG_6316.png"):
        picture = read_image(data_folder("pairs-lfdof") / "input" / name)[0][:, 200:361, 300:493].float() / 255
        centre = picture[None] * 2 - 1
        inputs = {"center": centre}
        if kind == "dual":
            inputs |= {"left": centre.roll(1, -1), "right": centre.roll(-1, -1)}
        want = (plain(net, inputs) + 1) / 2
        assert (want - picture).abs().mean() > 0.02  # the network does something
        assert psnr((fast(**inputs) + 1) / 2, want) >= 45


@pytest.mark.parametrize(
    "options", [{"width": 6, "kernel_size": 3, "scales": 3}, {"scales": 1}, {"width": 16}], ids=str
)
def test_other_structures(options):
    net = natural(**options)
    inputs = pictures(1, 37, 29)
    torch.testing.assert_close(optimize(net)(**inputs), plain(net, inputs), rtol=0, atol=MANY_ROUNDINGS)


def test_without_the_extension(monkeypatch):
    monkeypatch.setattr("lfdeblur_ops.row_layers.cpu_missing", lambda: "not here")
    net = natural(width=8, scales=3)
    fast = optimize(net)
    assert fast.choices["convolutions"].endswith("by plain PyTorch")
    inputs = pictures(1, 37, 29)
    torch.testing.assert_close(fast(**inputs), plain(net, inputs), rtol=0, atol=MANY_ROUNDINGS)


def test_float64_and_the_callers_dtype():
    net = natural(width=6, scales=2)
    inputs = pictures(1, 9, 12, dtype=torch.float64)
    exact = natural(width=6, scales=2).double()
    torch.testing.assert_close(
        optimize(net, torch.float64)(**inputs), plain(exact, inputs), rtol=0, atol=FLOAT64_ROUNDINGS
    )
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        assert optimize(net)(inputs["center"].to(dtype)).dtype == dtype


def test_variants_run_too():
    for variant in ("single-scale", "no-residual"):
        net = DRBNet(variant=variant, width=8, scales=3).eval()
        inputs = pictures(1, 13, 22)
        torch.testing.assert_close(optimize(net)(**inputs), plain(net, inputs), rtol=0, atol=MANY_ROUNDINGS)


def test_the_network_stays_as_it_was(net):
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    inputs = pictures(net.views, 16, 16)
    fast = optimize(net, torch.bfloat16, example_size=(16, 16))
    want = fast(**inputs)
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    other = DRBNet(net.views)
    other.load_state_dict(net.state_dict())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    torch.testing.assert_close(fast(**inputs), want, rtol=0, atol=0)
    net.load_state_dict(other.state_dict())


def test_gradients_end_here(optimized):
    inputs = {name: view.requires_grad_() for name, view in pictures(optimized.views, 8, 8).items()}
    assert not optimized(**inputs).requires_grad
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(optimized(**inputs), optimized(**inputs).float(), rtol=0, atol=0)


TRANSFORMED = {
    "jvp": lambda run, x: torch.func.jvp(run, (x,), (x,)),
    "vmap": lambda run, x: torch.func.vmap(run)(x[None]),
    "grad": lambda run, x: torch.func.grad(lambda x: run(x).sum())(x),
    "dual numbers": lambda run, x: run(forward_ad.make_dual(x, x)),
}


@pytest.mark.parametrize("transform", TRANSFORMED)
def test_transforms_are_refused(transform):
    fast, x = optimize(natural(width=16, scales=2, kernel_size=3)), torch.rand(1, 3, 16, 16)
    level = forward_ad.dual_level() if transform == "dual numbers" else contextlib.nullcontext()
    with level, pytest.raises(RuntimeError, match=r"optimize: got a call under torch\.func or forward"):
        TRANSFORMED[transform](fast, x)


def test_a_chosen_back_end_runs_it():
    net, x = natural(width=16, scales=2, kernel_size=3), torch.rand(1, 3, 16, 16)
    with torch.no_grad(), use_backend("reference"), torch.profiler.profile() as profile:
        got = optimize(net)(x)
    assert not [event.name for event in profile.events() if event.name.startswith("lfdeblur::")]
    torch.testing.assert_close(got, net(x).detach(), rtol=0, atol=MANY_ROUNDINGS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_its_operations_are_counted(dtype):
    net, x = natural(width=16, scales=2, kernel_size=3), torch.rand(1, 3, 32, 48)
    counts = []
    for run in (net, optimize(net, dtype)):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            run(x)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


def test_a_compiled_caller_runs_it_as_it_is(optimized):
    inputs = pictures(optimized.views, 16, 24)
    compiled = torch.compile(lambda **views: optimized(**views) + 1, backend="eager")
    assert torch.equal(compiled(**inputs), optimized(**inputs) + 1)


def test_to_import_it_does_not_import_the_compiler():
    code = "import sys, lfdeblur_models.optimize; sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


def test_it_says_what_it_chose(optimized):
    assert {"engine", "dtype", "convolutions", "merged", "heads"} <= set(optimized.choices)
    for subject, choice in optimized.choices.items():
        assert f"{subject}: {choice}" in repr(optimized)
    assert "46 by Winograd" in optimized.choices["convolutions"]


def test_whole_pictures_and_tiles():
    net = natural(width=8)
    picture = torch.rand(3, 150, 170)
    whole = deblur(net, picture)
    torch.testing.assert_close(deblur(optimize(net), picture), whole, rtol=0, atol=MANY_ROUNDINGS)
    assert psnr(deblur(optimize(net), picture, tile=112), whole) > 50
    assert psnr(deblur(optimize(net, torch.bfloat16), picture), whole) > 45


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"net": torch.nn.Conv2d(1, 1, 1)}, TypeError, "net: got Conv2d, want a DRBNet"),
        ({"dtype": torch.int8}, TypeError, "dtype: got torch.int8, want torch.float32"),
        ({"dtype": "float32"}, TypeError, "dtype: got 'float32'"),
        ({"example_size": 8}, ValueError, "example_size: got 8, want None or"),
        ({"example_size": (8, 0)}, ValueError, r"example_size: got \(8, 0\)"),
        ({"example_size": (8, 8, 8)}, ValueError, r"example_size: got \(8, 8, 8\)"),
        ({"example_size": (8.0, 8)}, ValueError, r"example_size: got \(8.0, 8\)"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        optimize(**({"net": DRBNet(width=1, scales=1)} | arguments))


def test_bad_calls_are_refused():
    x = torch.zeros(1, 3, 8, 8)
    single, dual = optimize(natural(width=2, scales=1)), optimize(DRBNet(2, width=2, scales=1))
    with pytest.raises(TypeError, match="left: surplus, the network has views=1"):
        single(x, x, x)
    with pytest.raises(TypeError, match="left: missing, the network has views=2"):
        dual(x)
    with pytest.raises(RuntimeError, match=r"center: got shape \[1, 4, 8, 8\]"):
        single(torch.zeros(1, 4, 8, 8))
    with pytest.raises(TypeError, match=r"center: got dtype torch.uint8"):
        single(x.to(torch.uint8))
    with pytest.raises(RuntimeError, match="call optimize again"):
        single.bfloat16()
    assert isinstance(single.eval(), OptimizedDRBNet)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_copies_give_the_same(dtype):
    """Of bands of rows, whose weights oneDNN keeps in layouts of its own, and of the fused ops (a variant's)."""
    center = torch.rand(1, 3, 16, 24) * 2 - 1
    for net in (DRBNet(width=8), DRBNet(variant="single-scale", width=8)):
        fast = optimize(net, dtype)
        for other in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
            assert torch.equal(other(center), fast(center))


BACKENDS = ("reference", "cpu", pytest.param("triton", marks=pytest.mark.cuda))


@pytest.fixture(params=BACKENDS)
def forced(request, monkeypatch):
    """Every block of the network on one back end."""
    monkeypatch.setattr(blocks, "BACKEND", request.param)
    for name in ("conv_transpose4x4", "drb_head"):
        monkeypatch.setattr(blocks, name, partial(getattr(blocks, name), backend=request.param))
    return request.param


@pytest.mark.parametrize("kind", KINDS)
def test_training_gradients_are_those_of_the_formulas(forced, kind):
    device = "cuda" if forced == "triton" else "cpu"
    weights = {name: w.to(device) for name, w in official_weights(kind).items()}
    net = DRBNet.from_official(weights).to(device)
    inputs = {name: view.to(device).requires_grad_() for name, view in pictures(VIEWS[kind], 16, 24).items()}
    target = torch.rand_like(inputs["center"])
    loss = (net(**inputs) - target).square().mean()
    got = torch.autograd.grad(loss, [*net.parameters(), *inputs.values()])
    names = [name for name, _ in net.named_parameters()]

    for w in weights.values():
        w.requires_grad_()
    loss = (straightforward(weights, **inputs) - target).square().mean()
    grads = torch.autograd.grad(loss, [*weights.values(), *inputs.values()])
    by_name = renamed(dict(zip(weights, grads[: len(weights)], strict=True)), net)
    want = [*(by_name[name] for name in names), *grads[len(weights) :]]
    for name, mine, theirs in zip([*names, *inputs], got, want, strict=True):
        share = ((mine - theirs).norm() / theirs.norm()).item()
        assert share <= (NETWORK_GRADIENT_TF32 if forced == "triton" else NETWORK_GRADIENT), f"{name}: {share}"


@pytest.mark.parametrize("views", [1, 2])
def test_gradcheck_on_the_reference(monkeypatch, views):
    monkeypatch.setattr(blocks, "BACKEND", "reference")
    for name in ("conv_transpose4x4", "drb_head"):
        monkeypatch.setattr(blocks, name, partial(getattr(blocks, name), backend="reference"))
    net = natural(views=views, width=2, kernel_size=3, scales=2).double()
    inputs = tuple(view.requires_grad_() for view in pictures(views, 4, 6, dtype=torch.float64).values())
    names = [name for name, _ in net.named_parameters()]

    def call(*tensors):
        parameters = dict(zip(names, tensors[len(inputs) :], strict=True))
        return torch.func.functional_call(net, parameters, tensors[: len(inputs)])

    assert torch.autograd.gradcheck(call, (*inputs, *net.parameters()), fast_mode=True)


def test_a_training_step_keeps_at_most_half():
    """What is kept for the backward pass, which is the peak of a training step; benchmarks/ measures that itself."""
    weights = official_weights("single")
    net = DRBNet.from_official(weights).to(memory_format=torch.channels_last)
    leaves = {name: w.clone().requires_grad_() for name, w in weights.items()}
    published = partial(straightforward, leaves, dynamic_filter=partial(unfold_fac, kernel_size=7))
    x = pictures(1, 128, 128, n=2)["center"]

    def kept(call, parameters):
        own = {parameter.untyped_storage().data_ptr() for parameter in parameters}
        storages = {}

        def note(tensor):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            out = call(x)
        assert out.requires_grad
        return sum(storages.values())

    mine, theirs = kept(net, net.parameters()), kept(published, leaves.values())
    assert 10 << 20 < mine <= theirs / 2, (mine, theirs)
