"""The ops and DRBNet where calls are recorded, counted, copied, or run in another process."""

import copy
import pickle
from functools import partial

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

import lfdeblur_ops
from lfdeblur_models import DRBNet
from lfdeblur_ops import (
    conv3x3,
    conv_transpose4x4,
    drb_head,
    dynamic_filter,
    dynamic_filter_separable,
    refocus,
    residual_block,
)
from lfdeblur_ops.testing import FEW_ROUNDINGS


def head(k, w, r, v, x):
    return drb_head(k, w, None, r, v, None, x, 3, clip=(0, 1))


NET = DRBNet(width=4, kernel_size=3, scales=2)
NAMES, SHAPES = zip(*((name, tuple(parameter.shape)) for name, parameter in NET.named_parameters()), strict=True)


def network(x, *parameters):
    return torch.func.functional_call(NET, dict(zip(NAMES, parameters, strict=True)), (x,))


CALLS = {
    "dynamic_filter": (lambda x, f: dynamic_filter(x, f, 3), [(1, 2, 5, 6), (1, 9, 5, 6)]),
    "dynamic_filter_separable": (lambda x, f: dynamic_filter_separable(x, f, 3), [(1, 2, 5, 6), (1, 6, 5, 6)]),
    "refocus": (lambda views, d, a: refocus(views, d, aperture=a), [(2, 3, 3, 1, 5, 6), (4,), (3, 3)]),
    "refocus with numbers": (lambda views: refocus(views, [0.5, -1.0], border="valid"), [(3, 3, 1, 5, 6)]),
    "drb_head": (head, [(1, 2, 5, 6), (9, 2), (1, 3, 5, 6), (2, 3), (1, 2, 5, 6)]),
    "conv3x3": (lambda x, w, b: conv3x3(x, w, b, activation="leaky_relu"), [(1, 2, 5, 6), (3, 2, 3, 3), (3,)]),
    "conv_transpose4x4": (lambda x, w: conv_transpose4x4(x, w), [(1, 2, 5, 6), (2, 3, 4, 4)]),
    "residual_block": (lambda x, w: residual_block(x, w, None, w, None), [(1, 2, 5, 6), (2, 2, 3, 3)]),
    "DRBNet": (network, [(1, 3, 5, 6), *SHAPES]),
}


def drawn(shapes):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(shape, generator=generator) * 0.2 - 0.1 * (len(shape) > 2) for shape in shapes]


@pytest.fixture(params=CALLS)
def call(request):
    """A call and tensors for it."""
    function, shapes = CALLS[request.param]
    return function, drawn(shapes)


def ours(graph):
    return [node for node in graph.nodes if "lfdeblur" in str(node.target)]


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_make_fx(call, mode):
    function, tensors = call
    expected = function(*tensors)
    traced = make_fx(function, tracing_mode=mode)(*tensors)
    assert ours(traced.graph)
    assert torch.equal(traced(*tensors), expected)


def test_fake_tensors(call):
    from torch._subclasses import FakeTensorMode

    function, tensors = call
    expected = function(*tensors)
    with FakeTensorMode() as mode:
        out = function(*(mode.from_tensor(t) for t in tensors))
    assert (out.shape, out.stride(), out.dtype) == (expected.shape, expected.stride(), expected.dtype)


def test_meta(call):
    function, tensors = call
    out = function(*(t.to("meta") for t in tensors))
    assert (out.shape, out.device.type) == (function(*tensors).shape, "meta")


class TwoOps(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.rand(2, 2, 3, 3))

    def forward(self, x, filters):
        return dynamic_filter(x=conv3x3(x, self.weight, activation="leaky_relu"), filters=filters, kernel_size=3)


def test_symbolic_trace_records_one_call_of_the_public_function():
    net, inputs = TwoOps(), (torch.rand(1, 2, 5, 6), torch.rand(1, 9, 5, 6))
    traced = torch.fx.symbolic_trace(net)
    assert [node.target for node in traced.graph.nodes if node.op == "call_function"] == [conv3x3, dynamic_filter]
    assert torch.equal(traced(*inputs), net(*inputs))
    assert torch.equal(pickle.loads(pickle.dumps(traced))(*inputs), net(*inputs))
    for op, names in (
        (refocus, ("views", "d")),
        (conv_transpose4x4, ("x", "weight")),
        (residual_block, ("x", "weight1", "bias1", "weight2", "bias2")),
        (head, ("k", "w", "r", "v", "x")),
    ):
        scope = {"op": op}
        exec(f"def run({', '.join(names)}): return op({', '.join(names)})", scope)
        assert len([n for n in torch.fx.symbolic_trace(scope["run"]).graph.nodes if n.op == "call_function"]) == 1


def test_a_network_within_a_traced_one_is_one_node():
    class Leaf(torch.fx.Tracer):
        def is_leaf_module(self, module, name):
            return isinstance(module, DRBNet) or super().is_leaf_module(module, name)

    class Around(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = DRBNet(width=4, kernel_size=3, scales=2)

        def forward(self, x):
            return self.net(x) + 1

    around, x = Around(), torch.rand(1, 3, 5, 6)
    traced = torch.fx.GraphModule(around, Leaf().trace(around))
    assert [node.op for node in traced.graph.nodes].count("call_module") == 1
    assert torch.equal(traced(x), around(x))


def test_inference_mode(call):
    function, tensors = call
    expected = function(*tensors)
    with torch.inference_mode():
        assert torch.equal(function(*tensors), expected)


def test_deterministic_mode(call):
    function, tensors = call
    torch.use_deterministic_algorithms(True, warn_only=False)
    try:
        grads = [torch.autograd.grad(function(*t).sum(), t) for t in ([x.requires_grad_() for x in tensors],) * 2]
    finally:
        torch.use_deterministic_algorithms(True, warn_only=True)
    assert all(map(torch.equal, *grads))


def test_autocast_under_forward_mode(call):
    function, tensors = call
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = function(*tensors)
        out, tangent = torch.func.jvp(function, tuple(tensors), tuple(tensors))
    assert out.dtype == tangent.dtype == expected.dtype
    assert torch.isfinite(tangent).all()
    assert tangent.abs().max() > 0


def test_copies_and_pickles():
    net, x = DRBNet(width=4, kernel_size=3, scales=2), torch.rand(1, 3, 5, 6)
    expected = net(x)
    assert torch.equal(copy.deepcopy(net)(x), expected)
    assert torch.equal(pickle.loads(pickle.dumps(net))(x), expected)
    filtering = pickle.loads(pickle.dumps(partial(dynamic_filter, kernel_size=3)))
    assert filtering.func is dynamic_filter


class EveryOp(Dataset):
    """Results of every op, computed where the data are loaded."""

    def __len__(self):
        return 1

    def __getitem__(self, item):
        return [function(*drawn(shapes)).detach() for function, shapes in CALLS.values()]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_of_a_loader(start):
    expected = EveryOp()[0]
    (got,) = DataLoader(EveryOp(), batch_size=None, num_workers=1, multiprocessing_context=start)
    for mine, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, theirs)


def flops(function, tensors, backward=True):
    inputs = [t.detach().requires_grad_(backward) for t in tensors]
    with FlopCounterMode(display=False) as counter:
        out = function(*inputs)
        if backward:
            out.sum().backward()
    return counter.get_total_flops()


def unfolded(x, f):
    """The published formulation, whose products FlopCounterMode knows."""
    n, c, h, w = x.shape
    patches = torch.nn.functional.unfold(x, 3, padding=1).view(n, c, 9, h * w)
    return torch.einsum("ncks,nks->ncs", patches, f.view(n, 9, h * w)).view(x.shape)


def test_counted_operations_are_those_of_plain_pytorch():
    for backward in (False, True):
        for name in ("dynamic_filter", "conv3x3", "conv_transpose4x4"):
            function, shapes = CALLS[name]
            tensors = [torch.rand(shape) for shape in shapes]
            counted = flops(function, tensors, backward)
            with lfdeblur_ops.use_backend("reference"):
                plain = flops(unfolded if name == "dynamic_filter" else function, tensors, backward)
            assert counted == plain > 0
    # As the plain head, whose filtering is made of products that are not counted: thrice 2*C*k*k a pixel.
    function, shapes = CALLS["drb_head"]
    tensors = [torch.rand(shape) for shape in shapes]
    with lfdeblur_ops.use_backend("reference"):
        plain = flops(function, tensors)
    assert flops(function, tensors) == plain + 3 * 2 * 2 * 9 * 30
    # Computed anew in the backward pass, which is counted: the first of two convolutions.
    function, shapes = CALLS["residual_block"]
    tensors = [torch.rand(shape) for shape in shapes]
    one = 2 * 9 * 2 * 2 * 30
    assert flops(function, tensors, False) == 2 * one
    assert flops(function, tensors) == (2 + 1 + 4) * one


def test_counted_operations_of_refocus_and_winograd():
    function, shapes = CALLS["refocus"]
    tensors = [torch.rand(shape) for shape in shapes]
    sample = 2 * 2 * 9 * 30 * 4  # B*V*U*H*W*D, twice
    assert flops(function, tensors, False) == sample * (4 + 1)
    assert flops(function, tensors) == sample * (5 + 5 + 5 + 9)
    x, weight = torch.rand(1, 16, 8, 8), torch.rand(16, 16, 3, 3)
    plain = flops(partial(conv3x3, backend="reference"), [x, weight])
    assert flops(partial(conv3x3, backend="winograd"), [x, weight]) == plain


def test_an_exported_network_without_our_operators():
    net, picture = DRBNet(width=4, kernel_size=3, scales=2).eval(), torch.rand(1, 3, 16, 12)
    program = torch.export.export(net, (picture,))
    assert ours(program.graph)
    plain = program.run_decompositions(torch.export.default_decompositions() | lfdeblur_ops.decompositions())
    assert not ours(plain.graph)
    torch.testing.assert_close(plain.module()(picture), net(picture), rtol=FEW_ROUNDINGS, atol=FEW_ROUNDINGS)


def test_every_op_has_its_decomposition(call):
    function, tensors = call

    class Module(torch.nn.Module):
        def forward(self, tensors):
            return function(*tensors)

    program = torch.export.export(Module(), (tuple(tensors),))
    plain = program.run_decompositions(lfdeblur_ops.decompositions())
    assert not ours(plain.graph)
    expected = function(*tensors)
    torch.testing.assert_close(plain.module()(tuple(tensors)), expected, rtol=FEW_ROUNDINGS, atol=FEW_ROUNDINGS)
