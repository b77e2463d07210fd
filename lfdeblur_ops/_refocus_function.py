"""``refocus`` under the transforms of PyTorch: the kernels wherever it is linear, its formula elsewhere."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from . import reference
from ._derivatives import backward_of, gradients, tangent
from ._levels import batch_rule, primals
from .reference.refocus import refocus_tangent


def _one_by_one(
    call: Callable[..., Any], size: int, in_dims: Any, tensors: tuple[Tensor, ...], options: tuple[Any, ...]
) -> list[Any]:
    """Where each sample of a batch has its own geometry: the kernels know one for all light fields of a call."""
    return [
        call(*(t if dim is None else t.select(dim, i) for t, dim in zip(tensors, in_dims, strict=False)), *options)
        for i in range(size)
    ]


def _in_tuple(*inputs: Any) -> tuple[Tensor]:
    return (reference.refocus(*inputs),)


class Refocus(torch.autograd.Function):
    """The op, in its canonical shapes."""

    @staticmethod
    def forward(light_field: Tensor, disparity: Tensor, aperture: Tensor, *options: Any) -> Tensor:
        return torch.ops.lfdeblur.refocus(light_field, disparity, aperture, *options)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        tensors, ctx.options = inputs[:3], inputs[3:]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(output, *tensors)
        ctx.save_for_forward(output, *tensors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        need = ctx.needs_input_grad[:3]
        interpolation, border, *options = ctx.options
        grads = RefocusBackward.apply(grad, *ctx.saved_tensors, interpolation, border, *need, *options)
        return *(g if wanted else None for g, wanted in zip(grads, need, strict=True)), *(None for _ in ctx.options)

    @staticmethod
    def jvp(
        ctx: Any,
        along_light_field: Tensor | None,
        along_disparity: Tensor | None,
        along_aperture: Tensor | None,
        *_: Any,
    ) -> Tensor:
        along = (along_light_field, along_disparity, along_aperture)
        with primals(*ctx.saved_tensors[1:]) as (light_field, disparity, aperture):
            first, *others = _tangents(light_field, disparity, aperture, *along, ctx.options)
            return sum(others, first)

    @staticmethod
    @batch_rule
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> tuple[Tensor, int]:
        """A batch of one argument lies among the light fields, planes or apertures of one call."""
        size, tensors, options = info.batch_size, list(inputs[:3]), inputs[3:]
        batched = [place for place, dim in enumerate(in_dims[:3]) if dim is not None]
        if len(batched) > 1 or _of_each_light_field(tensors[1:], in_dims[1:3]):
            return torch.stack(_one_by_one(Refocus.apply, size, in_dims, tuple(tensors), options)), 0
        (place,) = batched
        first = 2 if options[-1] == "moments" else 1
        axis = (0, first + 1, first)[place]  # of the result [B, A, D, C, H, W]
        tensors[place] = tensors[place].movedim(in_dims[place], 0).flatten(0, 1)
        out = Refocus.apply(*tensors, *options)
        return out.unflatten(axis, (size, out.shape[axis] // size)), axis


def _tangents(
    light_field: Tensor,
    disparity: Tensor,
    aperture: Tensor,
    along_light_field: Tensor | None,
    along_disparity: Tensor | None,
    along_aperture: Tensor | None,
    options: tuple[Any, ...],
) -> list[Tensor]:
    """Of the result along each of the three tensors, or along several together; None: it stays."""
    interpolation, border, normalize, cubic_coefficient, reduce = options
    nothing = (None,) * len(options)
    if reduce == "moments":
        along = (along_light_field, along_disparity, along_aperture)
        return list(tangent(_in_tuple, (light_field, disparity, aperture, *options), (*along, *nothing)))
    terms = []
    if along_light_field is not None:
        terms.append(Refocus.apply(along_light_field, disparity, aperture, *options))
    if along_aperture is not None and border != "valid" and not normalize:
        terms.append(Refocus.apply(light_field, disparity, along_aperture, *options))
        along_aperture = None
    if along_disparity is None and along_aperture is None:
        return terms
    if reduce == "none":
        inputs = (light_field, disparity, aperture, *options)
        return [*terms, *tangent(_in_tuple, inputs, (None, along_disparity, None, *nothing))]
    change = (along_disparity, along_aperture)
    how = (interpolation, border, normalize, cubic_coefficient)
    return [*terms, refocus_tangent(light_field, disparity, aperture, *how, *change)]


def _of_each_light_field(geometry: Sequence[Tensor], in_dims: Sequence[int | None]) -> bool:
    """Whether, of disparity and aperture, a sample of the batch has maps or apertures for each of its light fields."""
    axes = [t.dim() - (dim is not None) for t, dim in zip(geometry, in_dims, strict=True)]
    return axes[0] == 4 or axes[1] == 6


class RefocusBackward(torch.autograd.Function):
    """Gradients of light field, disparity and aperture; an empty tensor for what is not needed.

    Options as the operator takes them: interpolation, border, which gradients are needed, the others.
    """

    @staticmethod
    def forward(
        grad: Tensor, out: Tensor, light_field: Tensor, disparity: Tensor, aperture: Tensor, *options: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        return torch.ops.lfdeblur.refocus_backward(grad, out, light_field, disparity, aperture, *options)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        grad, _, *tensors = inputs[:5]
        ctx.options, ctx.need = (*inputs[5:7], *inputs[10:]), inputs[7:10]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(grad, *tensors)
        ctx.save_for_forward(grad, *tensors)

    @staticmethod
    def backward(ctx: Any, *along: Tensor | None) -> tuple[Tensor | None, ...]:
        """That of the reference's backward pass, of which the result is no input."""
        others = [None] * (len(ctx.options) + len(ctx.need))
        wanted = [place for place, need in enumerate(ctx.need) if need and along[place] is not None]
        if not wanted:
            return *(None,) * 5, *others
        formula = backward_of(reference.refocus, 3, wanted)
        found = gradients(formula, (*ctx.saved_tensors, *ctx.options), tuple(along[place] for place in wanted))
        return found[0], None, *found[1:4], *others

    @staticmethod
    def jvp(ctx: Any, *along: Tensor | None) -> tuple[Tensor, ...]:
        wanted = [place for place, need in enumerate(ctx.need) if need]
        formula = backward_of(reference.refocus, 3, wanted)
        directions = (along[0], *along[2:5], *(None for _ in ctx.options))
        with primals(*ctx.saved_tensors) as saved:
            found = dict(zip(wanted, tangent(formula, (*saved, *ctx.options), directions), strict=True))
            empty = saved[2].new_empty(0)
            return tuple(found.get(place, empty) for place in range(3))

    @staticmethod
    @batch_rule
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> tuple[tuple[Tensor, ...], tuple[int | None, ...]]:
        size, need, tensors, options = info.batch_size, inputs[7:10], inputs[:5], inputs[5:]
        shared = in_dims[3] is None and in_dims[4] is None and not _of_each_light_field(tensors[3:], in_dims[3:5])
        if not any(need[1:]) and shared:
            folded = [
                (t.expand(size, *t.shape) if dim is None else t.movedim(dim, 0)).flatten(0, 1)
                for t, dim in zip(tensors[:3], in_dims, strict=False)
            ]
            grad, *none = RefocusBackward.apply(*folded, *tensors[3:], *options)
            return (grad.unflatten(0, (size, grad.shape[0] // size)), *none), (0, None, None)
        found = zip(*_one_by_one(RefocusBackward.apply, size, in_dims, tensors, options), strict=True)
        grads = tuple(torch.stack(each) if wanted else each[0] for each, wanted in zip(found, need, strict=True))
        return grads, tuple(0 if wanted else None for wanted in need)
