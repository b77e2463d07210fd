"""``torch.compile`` of transformed calls: the reference is traced, since the kernels' forms cannot be."""

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import grad, jvp, vmap

from lfdeblur_ops.testing import MANY_ROUNDINGS

from .transforms import cases

CASES = {name: case for name, case in cases().items() if name in ("dynamic_filter", "refocus", "conv3x3", "drb_head")}


def dual(call, x):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(call(forward_ad.make_dual(x, x))).tangent


TRANSFORMS = {
    "jvp": lambda call, x: jvp(call, (x,), (x,))[1],
    "dual numbers": dual,
    "grad": lambda call, x: grad(lambda x: call(x).square().sum())(x),
    "vmap": lambda call, x: vmap(call)(torch.stack([x, 0.5 * x])),
    "vmap(grad)": lambda call, x: vmap(grad(lambda x: call(x).square().sum()))(torch.stack([x, 0.5 * x])),
}


@pytest.fixture(autouse=True)
def nothing_compiled():
    torch.compiler.reset()


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("name", CASES)
def test_compiled_as_eager(name, transform):
    case, run = CASES[name], TRANSFORMS[transform]

    def call(x):
        return case.call(x, *case.tensors[1:])

    x = case.tensors[0]
    compiled = torch.compile(lambda x: run(call, x), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), run(call, x), rtol=MANY_ROUNDINGS, atol=MANY_ROUNDINGS)


@pytest.mark.parametrize("name", CASES)
def test_a_compiled_call_under_a_transform(name):
    case = CASES[name]

    def call(x):
        return case.call(x, *case.tensors[1:])

    x, compiled = case.tensors[0], torch.compile(call, backend="eager")
    compiled(x)
    for transform in ("jvp", "dual numbers"):
        got = TRANSFORMS[transform](compiled, x)
        torch.testing.assert_close(got, TRANSFORMS[transform](call, x), rtol=MANY_ROUNDINGS, atol=MANY_ROUNDINGS)
