"""Derivatives of a formula in plain PyTorch, for what the kernels have none of. They can be differentiated again."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Formula = Callable[..., Any]


def _of_floats(formula: Formula, inputs: Sequence[Any]) -> tuple[Formula, list[int]]:
    """The formula as a function of its floating-point tensors alone, and where they stand."""
    places = [i for i, value in enumerate(inputs) if isinstance(value, Tensor) and value.is_floating_point()]

    def call(*floats: Tensor) -> Any:
        everything = list(inputs)
        for place, value in zip(places, floats, strict=True):
            everything[place] = value
        return formula(*everything)

    return call, places


def gradients(formula: Formula, inputs: Sequence[Any], cotangents: Any) -> tuple[Tensor | None, ...]:
    """Of what ``formula(*inputs)`` gives, times ``cotangents``; None where an input is no floating-point tensor."""
    call, places = _of_floats(formula, inputs)
    _, pull_back = torch.func.vjp(call, *(inputs[place] for place in places))  # type: ignore[misc]
    found = dict(zip(places, pull_back(cotangents), strict=True))
    return tuple(found.get(place) for place in range(len(inputs)))


def tangent(formula: Formula, inputs: Sequence[Any], directions: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
    """Derivative of the tensors that ``formula(*inputs)`` gives along ``directions`` (None: 0).

    By reverse mode twice: forward mode cannot be nested where a dual level of ``forward_ad`` is active.
    """
    call, places = _of_floats(formula, inputs)
    floats = [inputs[place] for place in places]
    along = [directions[place] for place in places]
    out, pull_back = torch.func.vjp(call, *floats)  # type: ignore[misc]
    _, push = torch.func.vjp(pull_back, tuple(map(torch.zeros_like, out)))  # type: ignore[misc]
    (result,) = push(tuple(torch.zeros_like(x) if d is None else d for x, d in zip(floats, along, strict=True)))
    return result


def backward_of(formula: Formula, tensors: int, wanted: Sequence[int]) -> Formula:
    """``(grad, *inputs) -> gradients`` of the ``wanted`` among the first ``tensors`` inputs of the formula."""

    def backward(grad: Tensor, *inputs: Any) -> tuple[Tensor, ...]:
        found = gradients(lambda *of: formula(*of, *inputs[tensors:]), inputs[:tensors], grad)
        return tuple(found[place] for place in wanted)  # type: ignore[misc]

    return backward


def register_second(op: str, formula: Formula, tensors: int, needs: int) -> None:
    """Derivatives of ``lfdeblur::<op>(grad, *tensors, *options, *needs)``, the backward pass of ``formula``.

    Its outputs are the gradients of the tensors, of other shapes where they are not needed. The formula is run again
    for them in plain PyTorch, and twice over, which takes the memory of that.
    """

    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(*inputs[: 1 + tensors])
        ctx.options = inputs[1 + tensors : len(inputs) - needs]
        ctx.wanted = [
            place
            for place, (tensor, grad) in enumerate(zip(inputs[1 : 1 + tensors], output, strict=True))
            if tensor is not None and grad.shape == tensor.shape
        ]

    def backward(ctx, *cotangents):  # type: ignore[no-untyped-def]
        first = backward_of(formula, tensors, ctx.wanted)
        inputs = (*ctx.saved_tensors, *ctx.options)
        found = gradients(first, inputs, tuple(cotangents[place] for place in ctx.wanted))
        return *found[: 1 + tensors], *(None for _ in (*ctx.options, *range(needs)))

    torch.library.register_autograd(f"lfdeblur::{op}", backward, setup_context=setup_context)
