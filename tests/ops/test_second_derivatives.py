"""Gradients of gradients of every op, on every back end that has gradients, against the float64 reference."""

import pytest
import torch

from lfdeblur_ops import (
    backends,
    conv3x3,
    conv_transpose4x4,
    drb_head,
    dynamic_filter,
    dynamic_filter_separable,
    refocus,
    residual_block,
    use_backend,
)
from lfdeblur_ops.testing import REORDERED_SUMS, TOL, rounded_to_tf32

from ..backends import DEVICE
from .checks import require


def draw(*shape, scale=1.0):
    return rounded_to_tf32(torch.randn(shape) * scale)


CALLS = {
    "dynamic_filter": lambda c: (
        lambda x, f, **how: dynamic_filter(x, f, 3, **how),
        (draw(2, 3, 5, 7), draw(2, 9, 5, 7, scale=0.3)),
    ),
    "dynamic_filter_separable": lambda c: (
        lambda x, f, **how: dynamic_filter_separable(x, f, 3, **how),
        (draw(2, 2, 5, 7), draw(2, 6, 5, 7, scale=0.5)),
    ),
    "refocus": lambda c: (
        lambda views, d, weights, **how: refocus(views, d, aperture=weights, border="valid", **how),
        (torch.rand(2, 2, 3, 1, 5, 6), torch.tensor([0.3, -1.1]), torch.rand(2, 3) + 0.1),
    ),
    "drb_head": lambda c: (
        lambda k, w, b, r, v, x, **how: drb_head(k, w, b, r, v, None, x, 3, clip=(-1, 1), **how),
        (
            *(draw(1, 4, 5, 6), draw(9, 4, scale=0.1), draw(9, scale=0.1)),
            *(draw(1, 5, 5, 6), draw(3, 5, scale=0.2), draw(1, 3, 5, 6)),
        ),
    ),
    "conv3x3": lambda c: (
        lambda x, w, b, r, y, **how: conv3x3(x, w, b, residual=r, x2=y, activation="leaky_relu", **how),
        (draw(2, c, 6, 7), draw(c, 2 * c, 3, 3, scale=0.1), draw(c), draw(2, c, 6, 7), draw(2, c, 6, 7)),
    ),
    "conv3x3 of stride 2": lambda c: (
        lambda x, w, b, **how: conv3x3(x, w, b, activation="leaky_relu", stride=2, **how),
        (draw(2, c, 6, 7), draw(c, c, 3, 3, scale=0.1), draw(c)),
    ),
    "conv_transpose4x4": lambda c: (
        lambda x, w, b, **how: conv_transpose4x4(x, w, b, activation="leaky_relu", **how),
        (draw(2, c, 4, 5), draw(c, c, 4, 4, scale=0.1), draw(c)),
    ),
    "residual_block": lambda c: (
        lambda x, w, b, v, a, **how: residual_block(x, w, b, v, a, **how),
        (draw(2, c, 6, 7), draw(c, c, 3, 3, scale=0.1), draw(c), draw(c, c, 3, 3, scale=0.1), draw(c)),
    ),
}
BACKENDS = ["cpu", "winograd", *(pytest.param(name, marks=pytest.mark.cuda) for name in ("cuda", "triton"))]


def of_gradients(call, tensors, **how):
    """Gradients of the squared gradients of the mean square, a penalty as trainings have it."""
    inputs = [t.detach().clone().requires_grad_() for t in tensors]
    grads = torch.autograd.grad(call(*inputs, **how).square().mean(), inputs, create_graph=True)
    return torch.autograd.grad(sum(g.square().sum() for g in grads), inputs)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CALLS)
def test_second_derivatives(name, backend):
    op = name.split()[0]
    if backend not in backends(op) or (backend == "winograd" and "stride" in name):
        pytest.skip("the op has no such back end")
    require(op, backend)
    call, tensors = CALLS[name](16 if backend == "winograd" else 3)
    got = of_gradients(call, [t.to(DEVICE[backend]) for t in tensors], backend=backend)
    expected = of_gradients(call, [t.double() for t in tensors], backend="reference")
    for ours, theirs in zip(got, expected, strict=True):
        size = theirs.abs().max()
        torch.testing.assert_close(ours.double().cpu() / size, theirs / size, **REORDERED_SUMS)


@pytest.mark.parametrize("name", CALLS)
def test_third_derivatives_exist(name):
    call, tensors = CALLS[name](2)
    inputs = [t.double().requires_grad_() for t in tensors]

    def penalty(*inputs):
        grads = torch.autograd.grad(call(*inputs).square().mean(), inputs, create_graph=True)
        return sum(g.square().sum() for g in grads)

    (along,) = torch.autograd.grad(penalty(*inputs), inputs[0], create_graph=True)
    ours = torch.autograd.grad(along.square().sum(), inputs[0])[0]
    with use_backend("reference"):
        (along,) = torch.autograd.grad(penalty(*inputs), inputs[0], create_graph=True)
        theirs = torch.autograd.grad(along.square().sum(), inputs[0])[0]
    torch.testing.assert_close(ours, theirs, **TOL[torch.float64])
