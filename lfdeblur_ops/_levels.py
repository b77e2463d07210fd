"""What stands between a call and its kernel: transforms, modes, tracers. PyTorch has no public names for them.

Those used here are the same in torch 2.11 to 2.13.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function, has_torch_function

P = ParamSpec("P")
R = TypeVar("R")

_PLAIN = (Tensor, torch.nn.Parameter)


def functorch_active() -> bool:
    """Whether a transform of ``torch.func`` (``vmap``, ``grad``, ``jvp``) runs, in traced code too."""
    return torch._C._are_functorch_transforms_active()


def transformed() -> bool:
    """Whether ``torch.func`` or a dual level of ``torch.autograd.forward_ad`` is active.

    Operators registered by ``torch.library`` know neither: they drop dual numbers silently. ``functionalize`` alone is
    nothing to them.
    """
    return forward_ad._current_level >= 0 or (
        torch._C._are_functorch_transforms_active() and (torch.compiler.is_compiling() or not all(_functionalizing()))
    )


def functionalized() -> bool:
    """Whether ``torch.func.functionalize`` is among them, which knows no ``torch.autograd.Function``."""
    return torch._C._are_functorch_transforms_active() and any(_functionalizing())


def _functionalizing() -> list[bool]:
    """Of each transform of ``torch.func`` that is active."""
    functorch: Any = torch._C._functorch
    return [level.key() == functorch.TransformType.Functionalize for level in functorch.get_interpreter_stack() or ()]


@contextmanager
def primals(*saved: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The saved tensors in a ``jvp`` of ``torch.autograd.Function``, without the tangents that it is to push forward.

    PyTorch switches forward mode off there: a transform around it would take the result for a constant.
    """
    with forward_ad._set_fwd_grad_enabled(True):
        yield tuple(forward_ad.unpack_dual(tensor).primal for tensor in saved)


def batch_rule(rule: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """A ``vmap`` of ``torch.autograd.Function`` that need not know batches of no samples: it is given one, of zeros."""

    @functools.wraps(rule)
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> tuple[Any, Any]:
        if info.batch_size > 0:
            return rule(info, in_dims, *inputs)
        one = [
            x.new_zeros([1 if axis == dim else n for axis, n in enumerate(x.shape)]) if isinstance(dim, int) else x
            for x, dim in zip(inputs, in_dims, strict=True)
        ]
        out, dims = rule(info._replace(batch_size=1), in_dims, *one)
        if isinstance(out, Tensor):
            return out.narrow(dims, 0, 0), dims
        return tuple(x if dim is None else x.narrow(dim, 0, 0) for x, dim in zip(out, dims, strict=True)), dims

    return vmap


def readable(values: Tensor) -> bool:
    """Whether the values of a CPU tensor can be read now: not while something traces, batches or only pretends."""
    return (
        not torch.compiler.is_compiling()
        and type(values) in _PLAIN
        and values.is_cpu
        and torch._C._len_torch_dispatch_stack() == 0
        and not functorch_active()
    )


def overridable(function: Callable[P, R]) -> Callable[P, R]:
    """A function that arguments with ``__torch_function__`` can take over: ``torch.fx`` then records it as one call."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given = (*args, *kwargs.values()) if kwargs else args
        if has_torch_function(given):
            result: Any = handle_torch_function(call, given, *args, **kwargs)
            return result
        return function(*args, **kwargs)

    return call
