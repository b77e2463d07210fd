"""Every op and DRBNet through every transform of PyTorch: what runs, and the table of docs/transforms.md.

``python -m tests.ops.transforms`` prints the table.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap
from torch.utils._python_dispatch import TorchDispatchMode

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

KERNELS, PLAIN = "kernels", "plain PyTorch"
PARTS = "parts"  # the kernels of dynamic_filter, the rest PyTorch's
BOTH = "kernels and formula"  # refocus: where it is not linear
LOOP = "kernels, one call a sample"  # where the geometry is batched beside another argument
FIRST_PASS = "kernels; backward plain PyTorch"
COLUMNS = ("dynamic_filter", "refocus", "drb_head", "convolutions", "DRBNet", "dynamic_filter_separable")


class Case(NamedTuple):
    """A call of tensors alone, on the back end that ``use_backend`` says."""

    column: str
    call: Callable[..., Tensor]
    tensors: tuple[Tensor, ...]


def _draw(*shape: int, scale: float = 1.0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64) * scale


def network(width: int, dtype: torch.dtype) -> Case:
    """Of float32 and multiples of 16, the convolutions run by Winograd's algorithm where there are pixels enough."""
    net = DRBNet(width=width, kernel_size=3, scales=2).to(dtype)
    names = ("encoder.0.0.bias", "restore.0.filters.2.bias")
    parameters = {name: tensor.detach() for name, tensor in net.named_parameters()}

    def call(picture: Tensor, *some: Tensor) -> Tensor:
        return functional_call(net, parameters | dict(zip(names, some, strict=True)), (picture,))

    picture = _draw(1, 3, 2, 2, scale=0.3).to(dtype)
    return Case("DRBNet", call, (picture, *(parameters[name] for name in names)))


def cases() -> dict[str, Case]:
    torch.manual_seed(3)
    views, weights = torch.rand(1, 2, 2, 1, 2, 3, dtype=torch.float64), torch.rand(2, 2, dtype=torch.float64) + 0.1
    head = (_draw(1, 2, 2, 3), _draw(9, 2, scale=0.2), _draw(9, scale=0.2), _draw(1, 3, 2, 3), _draw(2, 3, scale=0.2))
    return {
        "dynamic_filter": Case(
            "dynamic_filter", lambda x, f: dynamic_filter(x, f, 3), (_draw(2, 2, 2, 3), _draw(2, 9, 2, 3))
        ),
        "dynamic_filter per channel": Case(
            "dynamic_filter",
            lambda x, f: dynamic_filter(x, f, 3, border="zeros"),
            (_draw(1, 2, 2, 3), _draw(1, 18, 2, 3)),
        ),
        "dynamic_filter_separable": Case(
            "dynamic_filter_separable",
            lambda x, f: dynamic_filter_separable(x, f, 3, groups=2),
            (_draw(1, 2, 2, 3), _draw(1, 12, 2, 3)),
        ),
        "refocus": Case("refocus", lambda v, d, a: refocus(v, d, aperture=a), (views, _draw(2), weights)),
        "refocus map": Case(
            "refocus",
            lambda v, d, a: refocus(v, d, aperture=a, border="valid", interpolation="bicubic"),
            (views[0, :1], _draw(2, 3), weights[:1]),
        ),
        "drb_head": Case(
            "drb_head",
            lambda k, w, b, r, v, x: drb_head(k, w, b, r, v, None, x, 3, clip=(-1, 1)),
            (*head, _draw(1, 2, 2, 3, scale=0.5)),
        ),
        "conv3x3": Case(
            "convolutions",
            lambda x, w, b, y: conv3x3(x, w, b, activation="leaky_relu", stride=2, x2=y),
            (_draw(2, 1, 3, 4), _draw(2, 2, 3, 3), _draw(2), _draw(2, 1, 3, 4)),
        ),
        "conv_transpose4x4": Case(
            "convolutions",
            lambda x, w, r: conv_transpose4x4(x, w, activation="leaky_relu", residual=r),
            (_draw(1, 2, 2, 3), _draw(2, 1, 4, 4), _draw(1, 1, 4, 6)),
        ),
        "residual_block": Case(
            "convolutions",
            lambda x, w, b, v: residual_block(x, w, b, v, None),
            (_draw(1, 2, 2, 3), _draw(2, 2, 3, 3), _draw(2), _draw(2, 2, 3, 3)),
        ),
        "DRBNet": network(4, torch.float64),
    }


def _squares(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *tensors: call(*tensors).square().sum()


def _all(tensors: tuple[Tensor, ...]) -> tuple[int, ...]:
    return tuple(range(len(tensors)))


def _along(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.linspace(-1, 1, t.numel(), dtype=t.dtype).reshape(t.shape) for t in tensors)


def _batched(tensors: tuple[Tensor, ...], axis: int = 0) -> tuple[Tensor, ...]:
    return tuple(torch.stack([t, 0.5 * t, t + 0.1], axis) for t in tensors)


def _vjp(call, tensors):
    out, pull_back = vjp(call, *tensors)  # type: ignore[misc]
    return pull_back(out)


def _dual(call, tensors):
    with forward_ad.dual_level():
        out = call(*(forward_ad.make_dual(t, d) for t, d in zip(tensors, _along(tensors), strict=True)))
        return forward_ad.unpack_dual(out).tangent


def _dual_of_gradients(call, tensors):
    with forward_ad.dual_level():
        pairs = zip(tensors, _along(tensors), strict=True)
        inputs = [forward_ad.make_dual(t.clone().requires_grad_(), d) for t, d in pairs]
        grads = torch.autograd.grad(_squares(call)(*inputs), inputs)
        return [forward_ad.unpack_dual(g).tangent for g in grads]


def _dual_of_results(call, tensors):
    """The results are from before; of their gradients the derivative along that of the results is asked."""
    inputs = [t.clone().requires_grad_() for t in tensors]
    out = call(*inputs)
    with forward_ad.dual_level():
        grads = torch.autograd.grad(out, inputs, forward_ad.make_dual(out.detach(), out.detach().square()))
        return [forward_ad.unpack_dual(g).tangent for g in grads]


def _twice(call, tensors):
    inputs = [t.clone().requires_grad_() for t in tensors]
    grads = torch.autograd.grad(_squares(call)(*inputs), inputs, create_graph=True)
    return torch.autograd.grad(sum(g.square().sum() for g in grads), inputs)


def _each_argument(call, tensors):
    """A batch of each argument alone, on an axis of its own that is not the first."""
    results = []
    for place, batched in enumerate(_batched(tensors, 1)):
        dims = tuple(1 if i == place else None for i in _all(tensors))
        results.append(vmap(call, dims)(*tensors[:place], batched, *tensors[place + 1 :]))
    return results


class Row(NamedTuple):
    name: str
    run: Callable[[Callable[..., Tensor], tuple[Tensor, ...]], Any]
    how: tuple[str, str, str, str, str, str]  # in each of COLUMNS
    of_reference: Callable[[Callable[..., Tensor], tuple[Tensor, ...]], Any] | None = None  # a quicker way to the same


_FIRST = (KERNELS, KERNELS, PARTS, PLAIN, PARTS, PLAIN)
_FORWARD = (KERNELS, BOTH, PARTS, PLAIN, PARTS, PLAIN)
_BATCH = (KERNELS, LOOP, PARTS, PLAIN, PARTS, PLAIN)
ROWS = (
    Row("`torch.func.jvp`", lambda call, t: jvp(call, t, _along(t)), _FORWARD),
    Row(
        "`torch.func.linearize`",
        lambda call, t: linearize(call, *t)[1](*_along(t)),
        (KERNELS, BOTH, PARTS, "kernels; tangents plain PyTorch", PARTS, "kernels; tangents plain PyTorch"),
        lambda call, t: jvp(call, t, _along(t))[1],
    ),
    Row("`torch.func.jacfwd`", lambda call, t: jacfwd(call, _all(t))(*t), _FORWARD),
    Row("dual numbers (`torch.autograd.forward_ad`)", _dual, _FORWARD),
    Row("`torch.func.grad`", lambda call, t: grad(_squares(call), _all(t))(*t), _FIRST),
    Row("`torch.func.vjp`", _vjp, _FIRST),
    Row("`torch.func.jacrev`", lambda call, t: jacrev(call, _all(t))(*t), _BATCH),
    Row(
        "`torch.autograd.functional.jacobian(vectorize=True)`",
        lambda call, t: torch.autograd.functional.jacobian(call, t, vectorize=True),
        (KERNELS, LOOP, LOOP, KERNELS, LOOP, FIRST_PASS),
    ),
    Row(
        '`jacobian(vectorize=True, strategy="forward-mode")`',
        lambda call, t: torch.autograd.functional.jacobian(call, t, vectorize=True, strategy="forward-mode"),
        _FORWARD,
        lambda call, t: torch.autograd.functional.jacobian(call, t),
    ),
    Row(
        "dual numbers in the backward pass alone",
        _dual_of_results,
        (KERNELS, BOTH, "kernels; backward parts", KERNELS, "kernels; backward parts", FIRST_PASS),
    ),
    Row("gradient of a gradient, any order", _twice, (KERNELS, BOTH, KERNELS, KERNELS, KERNELS, BOTH)),
    Row(
        "Hessian-vector product, `jvp(grad)`",
        lambda call, t: jvp(grad(_squares(call), _all(t)), t, _along(t)),
        _FORWARD,
    ),
    Row("the same by dual numbers and `autograd.grad`", _dual_of_gradients, _FORWARD),
    Row("`torch.func.hessian`", lambda call, t: hessian(_squares(call), _all(t))(*t), _FORWARD),
    Row("`jacrev(jacfwd)`", lambda call, t: jacrev(jacfwd(_squares(call), _all(t)), _all(t))(*t), _FORWARD),
    Row("`jacfwd(jacfwd)`", lambda call, t: jacfwd(jacfwd(_squares(call), _all(t)), _all(t))(*t), _FORWARD),
    Row("`vmap` over any axis of one argument", _each_argument, (KERNELS, KERNELS, PARTS, PLAIN, PARTS, PLAIN)),
    Row("`vmap` over several arguments", lambda call, t: vmap(call)(*_batched(t)), _BATCH),
    Row("`vmap(vmap)`", lambda call, t: vmap(vmap(call))(*_batched(_batched(t))), _BATCH),
    Row(
        "gradients of each sample, `vmap(grad)`",
        lambda call, t: vmap(grad(_squares(call), _all(t)), (0, *(None for _ in t[1:])))(_batched(t)[0], *t[1:]),
        _BATCH,
    ),
    Row("`vmap(jvp)`", lambda call, t: vmap(lambda *s: jvp(call, s, _along(t)))(*_batched(t)), _FORWARD),
    Row("`jvp(vmap)`", lambda call, t: jvp(vmap(call), _batched(t), _batched(_along(t))), _FORWARD),
)


class Kernels(TorchDispatchMode):
    """The names of our operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "lfdeblur":
            self.names.add(func.__name__.split(".")[0])
        return func(*args, **(kwargs or {}))


def table() -> str:
    """In Markdown."""
    lines = ["| | " + " | ".join(f"`{column}`" if column in KNOWN else column for column in COLUMNS) + " |"]
    lines.append("| --- " * (len(COLUMNS) + 1) + "|")
    lines += [f"| {row.name} | " + " | ".join(row.how) + " |" for row in ROWS]
    return "\n".join(lines)


KNOWN = ("dynamic_filter", "refocus", "drb_head", "DRBNet", "dynamic_filter_separable")

if __name__ == "__main__":
    print(table())
