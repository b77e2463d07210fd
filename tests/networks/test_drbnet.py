"""DRBNet against the published names, sizes and costs, and against its formulas written out once more."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lfdeblur_models.networks import DRBNet
from lfdeblur_models.networks.configuration import Configuration
from lfdeblur_models.networks.official import official_tensors
from lfdeblur_models.networks.reference import straightforward
from lfdeblur_ops.testing import BFLOAT16_LAYERS, FEW_ROUNDINGS, FLOAT64_ROUNDINGS, MANY_ROUNDINGS, NETWORK_GRADIENT

from .official_weights import official_weights
from .pictures import VIEWS, pictures


def small(views=1, **options):
    torch.manual_seed(0)
    return DRBNet(views, **{"width": 6, "kernel_size": 3, "scales": 3} | options)


@pytest.mark.parametrize(("kind", "parameters", "giga"), [("single", 11_689_616, 623.34), ("dual", 11_690_480, 624.14)])
def test_size_and_cost_as_published(kind, parameters, giga):
    with torch.device("meta"):
        net = DRBNet(VIEWS[kind])
        views = {name: torch.empty(1, 3, 720, 1280) for name in pictures(VIEWS[kind], 1, 1)}
    assert sum(p.numel() for p in net.parameters()) == parameters
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(**views)
    # The 1x1 convolutions of the heads are matrix products in the reference.
    counts = {str(op): flops for op, flops in counter.get_flop_counts()["Global"].items()}
    convolutions = sum(flops for op, flops in counts.items() if "convolution" in op or "bmm" in op)
    assert round(convolutions / 2 / 1e9, 2) == giga


@pytest.mark.parametrize("kind", ["single", "dual"])
def test_official_checkpoint_gives_the_published_output(kind):
    weights = official_weights(kind)
    net = DRBNet.from_official(weights)
    assert net.views == VIEWS[kind]
    views = pictures(net.views, 24, 40)
    with torch.no_grad():
        got, want = net(**views), straightforward(weights, **views)
        double = straightforward(
            {k: v.double() for k, v in weights.items()}, **{k: v.double() for k, v in views.items()}
        )
        assert 0.05 < double.abs().mean() < 0.9  # neither vanishing nor clipped away
        assert (double.abs() == 1).float().mean() < 0.5
        # Rounding errors of two float32 orders of summation, through 40 layers whose outputs are of order 1.
        torch.testing.assert_close(got, want, rtol=0, atol=MANY_ROUNDINGS)
        torch.testing.assert_close(
            net.double()(**{k: v.double() for k, v in views.items()}), double, rtol=0, atol=FLOAT64_ROUNDINGS
        )


def test_gradients_of_a_picture_as_of_the_published_form():
    """At a size where layers of every scale but the coarsest run on Winograd's transforms."""
    weights = official_weights("single")
    net, center = DRBNet.from_official(weights), pictures(1, 96, 96)["center"]
    net(center).square().mean().backward()
    for w in weights.values():
        w.requires_grad_()
    straightforward(weights, center).square().mean().backward()
    for ours, theirs in official_tensors(net).items():
        got, want = net.get_parameter(ours).grad, weights[theirs].grad
        assert (got - want).norm() <= NETWORK_GRADIENT * want.norm(), ours


@pytest.mark.parametrize("wrap", [lambda d: {"params": d}, lambda d: {"epoch": 3, "state_dict": d}])
def test_official_checkpoint_wrapped_and_prefixed(wrap):
    weights = official_weights("single")
    net = DRBNet.from_official(wrap({f"module.{name}": tensor for name, tensor in weights.items()}))
    torch.testing.assert_close(net.encoder[0][0].weight.data, weights["conv1_1.0.weight"])


def test_wrong_checkpoint_is_refused_with_its_faults():
    weights = official_weights("dual")
    weights["conv9.weight"] = weights.pop("conv4_4.3.0.bias")
    weights["upconv0_res.2.0.weight"] = torch.zeros(3, 64, 3, 3)
    with pytest.raises(
        ValueError, match=r"1 missing: conv4_4.3.0.bias; 1 unexpected: conv9.weight; 1 misshaped: "
    ) as error:
        DRBNet.from_official(weights)
    assert "upconv0_res.2.0.weight [3, 64, 3, 3] (want [3, 64, 1, 1])" in str(error.value)
    with pytest.raises(ValueError, match=r"138 missing: .* and 118 more"):
        DRBNet.from_official({})
    with pytest.raises(TypeError, match="got list, want a mapping"):
        DRBNet.from_official([1])
    with pytest.raises(TypeError, match="got int for 'epoch', want a tensor"):
        DRBNet.from_official({"epoch": 3})


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (5, 4), (7, 13), (8, 12), (17, 33)], ids=str)
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("variant", ["full", "single-scale"])
def test_any_size(views, size, variant):
    """Padding by hand with the mirrored indices, then cropping, gives the same."""
    net = small(views, scales=4, variant=variant).eval()
    inputs = pictures(views, *size)

    def mirrored(length):
        period = max(2 * (length - 1), 1)
        indices = [i % period for i in range(-(-length // 8) * 8)]
        return torch.tensor([min(i, period - i) if length > 1 else 0 for i in indices])

    with torch.no_grad():
        got = net(**inputs)
        padded = {k: v[:, :, mirrored(size[0])][..., mirrored(size[1])] for k, v in inputs.items()}
        want = net(**padded)[..., : size[0], : size[1]]
    assert got.shape == (1, 3, *size)
    assert got.is_contiguous()
    torch.testing.assert_close(got, want, rtol=0, atol=0)


@pytest.mark.parametrize("views", [1, 2])
def test_gradients(views):
    """Directional derivatives in float64 with respect to the input and every parameter."""
    net = small(views, width=2, scales=2).double()
    inputs = pictures(views, 4, 6, dtype=torch.float64)
    for p in net.parameters():
        p.data.mul_(1.5)
    center = inputs["center"].requires_grad_()
    weight = pictures(1, 4, 6, dtype=torch.float64, seed=5)["center"]
    wanted = [center, *net.parameters()]
    grads = torch.autograd.grad((net(**inputs) * weight).sum(), wanted)
    assert all(torch.isfinite(g).all() for g in grads)
    assert all(g.abs().max() > 0 for g in grads)
    torch.manual_seed(3)
    for _ in range(4):
        directions = [torch.randn_like(tensor) for tensor in wanted]
        step, sums = 1e-6, []
        with torch.no_grad():
            for offset in (step, -2 * step):
                torch._foreach_add_(wanted, directions, alpha=offset)
                sums.append((net(**inputs) * weight).sum())
            torch._foreach_add_(wanted, directions, alpha=step)
        slope = sum((grad * direction).sum() for grad, direction in zip(grads, directions, strict=True))
        torch.testing.assert_close(slope, (sums[0] - sums[1]) / (2 * step), rtol=1e-5, atol=FEW_ROUNDINGS)


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("size", [(16, 24), (13, 9), (3, 1)], ids=str)
def test_identity_start(views, size):
    net = small(views, kernel_size=7, scales=4).identity_()
    inputs = pictures(views, *size)
    if views == 2:
        inputs["center"] = (inputs["left"] + inputs["right"]) / 2
    out = net(**inputs)
    torch.testing.assert_close(out, inputs["center"], rtol=0, atol=FEW_ROUNDINGS)
    ((out - 0.3) ** 2).mean().backward()
    for block in net.restore:
        for head in (block.filters, block.residual):
            assert head[-1].weight.grad.abs().max() > 0
    torch.optim.SGD(net.parameters(), 0.01).step()
    net.zero_grad()
    ((net(**inputs) - 0.3) ** 2).mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


def test_the_network_states_what_it_is_made_of():
    net = small(2, variant="no-residual")
    assert net.configuration == Configuration(2, 6, 3, 3, "no-residual")
    assert (net.configuration.pictures, net.multiple) == (3, 4)
    assert "variant=no-residual" in repr(net)
    assert "variant" not in repr(small())


@pytest.mark.parametrize("variant", ["single-scale", "no-dynamic-filter"])
def test_identity_start_of_variants(variant):
    net = DRBNet(variant=variant, width=6, kernel_size=3, scales=3).identity_()
    center = torch.rand(2, 3, 19, 26) * 2 - 1
    torch.testing.assert_close(net(center), center, rtol=0, atol=MANY_ROUNDINGS)


def test_identity_start_of_one_scale_and_of_a_narrow_network():
    inputs = pictures(1, 5, 7)
    torch.testing.assert_close(small(width=2, scales=1).identity_()(**inputs), inputs["center"], rtol=0, atol=0)
    with pytest.raises(ValueError, match="width=4, want at least 6"):
        small(width=4).identity_()


def test_bfloat16_and_autocast():
    net, inputs = small().identity_(), pictures(1, 17, 14)
    with torch.no_grad():
        exact = net(**inputs)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = net(**inputs)
        half = net.bfloat16()(inputs["center"].bfloat16())
    assert mixed.dtype == torch.float32
    assert half.dtype == torch.bfloat16
    # Eight bits of mantissa through about ten layers.
    torch.testing.assert_close(mixed, exact, rtol=0, atol=BFLOAT16_LAYERS)
    torch.testing.assert_close(half.float(), exact, rtol=0, atol=BFLOAT16_LAYERS)


def test_autocast_trains():
    net = small()
    with torch.autocast("cpu", torch.bfloat16):
        loss = net(**pictures(1, 16, 16)).square().mean()
    loss.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize(("autocast", "backend"), [(False, "aot_eager"), (True, "inductor")])
def test_compiles_in_one_graph(autocast, backend):
    net, inputs = small(width=2, scales=2), pictures(1, 13, 10)
    torch._dynamo.reset()
    compiled = torch.compile(net, fullgraph=True, backend=backend)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        tolerance = BFLOAT16_LAYERS if autocast else MANY_ROUNDINGS  # compiled code rounds to bfloat16 less often
        torch.testing.assert_close(compiled(**inputs), net(**inputs), rtol=0, atol=tolerance)


@pytest.mark.parametrize("views", [1, 2])
def test_channels_last(views):
    net, inputs = small(views), pictures(views, 16, 12, n=2)
    with torch.no_grad():
        want = net(**inputs)
        net.to(memory_format=torch.channels_last)
        got = net(**{k: v.to(memory_format=torch.channels_last) for k, v in inputs.items()})
    torch.testing.assert_close(got, want, rtol=0, atol=MANY_ROUNDINGS)


def test_empty_batch():
    assert small()(torch.zeros(0, 3, 5, 6)).shape == (0, 3, 5, 6)


def test_bad_inputs_are_named():
    single, dual, x = small(), small(2), torch.zeros(1, 3, 8, 8)
    for shape in [(3, 8, 8), (1, 4, 8, 8), (1, 3, 0, 8)]:
        with pytest.raises(RuntimeError, match=r"center: got shape .*, want \[N, 3, H, W\]"):
            single(torch.zeros(shape))
    with pytest.raises(TypeError, match="left: surplus, the network has views=1"):
        single(x, left=x, right=x)
    with pytest.raises(TypeError, match="right: missing, the network has views=2"):
        dual(x, left=x)
    with pytest.raises(RuntimeError, match=r"right: got shape \[1, 3, 8, 9\], want that of center"):
        dual(x, left=x, right=torch.zeros(1, 3, 8, 9))
    with pytest.raises(TypeError, match=r"center: got dtype torch.float64, want that of the parameters, torch.float32"):
        single(x.double())
    with pytest.raises(TypeError, match=r"left: got dtype torch.float64, want that of center"):
        dual(x, left=x.double(), right=x)
    with pytest.raises(TypeError, match=r"center: got dtype torch.uint8, want floating point"):
        single(x.to(torch.uint8))
    with pytest.raises(TypeError, match="center: got ndarray, want a tensor"):
        single(x.numpy())
    with pytest.raises(RuntimeError, match="left: got device meta, want that of the parameters, cpu"):
        dual(x, left=x.to("meta"), right=x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": 3}, "views"),
        ({"width": 0}, "width"),
        ({"kernel_size": 4}, "kernel_size"),
        ({"scales": 0}, "scales"),
        ({"variant": "half"}, "variant"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=f"{message}: got"):
        DRBNet(**options)
