"""DRBNet compiled and exported: one program serves every size."""

import pytest
import torch

from lfdeblur_ops.testing import MANY_ROUNDINGS, NETWORK_GRADIENT

from ..exported import SIZES, exported
from ..natural import natural

# N, H, W; multiples of the network's and others, above and below the pixels from which Winograd's transforms pay.
TRACED = [(5, 34, 50), (3, 37, 51), (2, 40, 64), (4, 33, 31), (3, 64, 96), (2, 9, 70), (5, 128, 17), (2, 8, 8)]


def network(views=1):
    return natural(views=views, width=16, scales=2, kernel_size=3).eval()


def pictures(size, views=1):
    n, height, width = size
    return [torch.rand(n, 3, height, width) * 2 - 1 for _ in range(1 if views == 1 else 3)]


def quick(*chosen, among):
    return [pytest.param(*case, marks=() if case in chosen else pytest.mark.slow) for case in among]


CASES = [(dynamic, training) for dynamic in (None, True) for training in (False, True)]


@pytest.mark.parametrize(("dynamic", "training"), quick((None, True), among=CASES))
def test_one_graph_serves_every_size(dynamic, training):
    """After the first, or by default the second: no size is asked for in the program, inference or training step."""
    torch._dynamo.reset()
    net = network()
    compiled = torch.compile(net, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for number, size in enumerate(TRACED):
        known = number > 0 if dynamic else number > 1
        inputs = pictures(size)
        with torch.set_grad_enabled(training), torch.compiler.set_stance("fail_on_recompile" if known else "default"):
            got = compiled(*inputs)
        want = net(*inputs)
        torch.testing.assert_close(got, want, rtol=0, atol=MANY_ROUNDINGS)
        if training:
            weights = list(net.parameters())
            gradients = [torch.autograd.grad(out.square().mean(), weights) for out in (got, want)]
            for mine, theirs in zip(*gradients, strict=True):
                assert (mine - theirs).norm() <= NETWORK_GRADIENT * theirs.norm()


@pytest.mark.parametrize("size", [(1, 20, 30), (2, 2, 3), (1, 1, 1)], ids=str)
def test_sizes_that_torch_makes_a_graph_of_their_own_for(size):
    """One picture, and pictures of one pixel at the coarsest scale."""
    torch._dynamo.reset()
    net, inputs = network(), pictures(size)
    compiled = torch.compile(net, fullgraph=True, dynamic=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(*inputs), net(*inputs), rtol=0, atol=MANY_ROUNDINGS)


@pytest.mark.parametrize(("views", "strict"), quick((1, True), (2, False), among=[(1, False), (1, True), (2, False)]))
def test_an_exported_program_serves_every_size(views, strict):
    net = network(views)
    program = exported(net, views=views, strict=strict)
    sizes = [str(node.args[1:]) for node in program.graph.nodes if node.op == "call_function"]
    assert not [size for size in sizes if "64" in size]  # those of the example
    run = program.module()
    with torch.no_grad():
        for size in SIZES:
            inputs = pictures(size, views)
            torch.testing.assert_close(run(*inputs), net(*inputs), rtol=0, atol=MANY_ROUNDINGS)


def test_the_least_size_of_an_exported_program_is_told():
    """Two pixels at the coarsest scale."""
    run = exported(network()).module()
    run(*pictures((1, 3, 3)))
    with pytest.raises(AssertionError, match=r"Guard failed: center.size\(\)\[2\] >= 3"):
        run(*pictures((1, 2, 3)))
