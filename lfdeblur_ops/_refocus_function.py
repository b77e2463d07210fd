"""``refocus`` under the transforms of PyTorch: the kernels wherever it is linear, its formula elsewhere."""

from collections.abc import Callable
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


class Refocus(torch.autograd.Function):
    """The op, in its canonical shapes."""

    @staticmethod
    def forward(light_field: Tensor, disparity: Tensor, aperture: Tensor, interpolation: str, border: str) -> Tensor:
        return torch.ops.lfdeblur.refocus(light_field, disparity, aperture, interpolation, border)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, interpolation, border = inputs
        ctx.options = (interpolation, border)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(output, *tensors)
        ctx.save_for_forward(output, *tensors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        need = ctx.needs_input_grad[:3]
        grads = RefocusBackward.apply(grad, *ctx.saved_tensors, *ctx.options, *need)
        return *(g if wanted else None for g, wanted in zip(grads, need, strict=True)), None, None

    @staticmethod
    def jvp(ctx: Any, *along: Tensor | None) -> Tensor:
        along_light_field, along_disparity, along_aperture = along[:3]
        terms = []
        with primals(*ctx.saved_tensors[1:]) as (light_field, disparity, aperture):
            if along_light_field is not None:
                terms.append(Refocus.apply(along_light_field, disparity, aperture, *ctx.options))
            if along_aperture is not None and ctx.options[1] == "replicate":
                terms.append(Refocus.apply(light_field, disparity, along_aperture, *ctx.options))
                along_aperture = None
            if along_disparity is not None or along_aperture is not None:
                interpolation, border = ctx.options
                change = (along_disparity, along_aperture)
                terms.append(refocus_tangent(light_field, disparity, aperture, interpolation, border, *change))
            return sum(terms)

    @staticmethod
    @batch_rule
    def vmap(
        info: Any,
        in_dims: Any,
        light_field: Tensor,
        disparity: Tensor,
        aperture: Tensor,
        interpolation: str,
        border: str,
    ) -> tuple[Tensor, int]:
        """A batch of one argument lies among the light fields, planes or apertures of one call."""
        size, options = info.batch_size, (interpolation, border)
        tensors = [light_field, disparity, aperture]
        batched = [place for place, dim in enumerate(in_dims[:3]) if dim is not None]
        if len(batched) > 1:
            return torch.stack(_one_by_one(Refocus.apply, size, in_dims, tuple(tensors), options)), 0
        (place,) = batched
        axis = (0, 2, 1)[place]  # of the result [B, A, D, C, H, W]
        tensors[place] = tensors[place].movedim(in_dims[place], 0).flatten(0, 1)
        out = Refocus.apply(*tensors, *options)
        return out.unflatten(axis, (size, out.shape[axis] // size)), axis


class RefocusBackward(torch.autograd.Function):
    """Gradients of light field, disparity and aperture; an empty tensor for what is not needed."""

    @staticmethod
    def forward(
        grad: Tensor,
        out: Tensor,
        light_field: Tensor,
        disparity: Tensor,
        aperture: Tensor,
        interpolation: str,
        border: str,
        need_light_field: bool,
        need_disparity: bool,
        need_aperture: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        need = (need_light_field, need_disparity, need_aperture)
        tensors = (grad, out, light_field, disparity, aperture)
        return torch.ops.lfdeblur.refocus_backward(*tensors, interpolation, border, *need)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        grad, _, *tensors, interpolation, border = inputs[:-3]
        ctx.options, ctx.need = (interpolation, border), inputs[-3:]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(grad, *tensors)
        ctx.save_for_forward(grad, *tensors)

    @staticmethod
    def backward(ctx: Any, *along: Tensor | None) -> tuple[Tensor | None, ...]:
        """That of the reference's backward pass, of which the result is no input."""
        wanted = [place for place, need in enumerate(ctx.need) if need and along[place] is not None]
        if not wanted:
            return (None,) * 10
        formula = backward_of(reference.refocus, 3, wanted)
        found = gradients(formula, (*ctx.saved_tensors, *ctx.options), tuple(along[place] for place in wanted))
        return found[0], None, *found[1:4], *(None,) * 5

    @staticmethod
    def jvp(ctx: Any, *along: Tensor | None) -> tuple[Tensor, ...]:
        wanted = [place for place, need in enumerate(ctx.need) if need]
        formula = backward_of(reference.refocus, 3, wanted)
        directions = (along[0], *along[2:5], None, None)
        with primals(*ctx.saved_tensors) as saved:
            found = dict(zip(wanted, tangent(formula, (*saved, *ctx.options), directions), strict=True))
            empty = saved[2].new_empty(0)
            return tuple(found.get(place, empty) for place in range(3))

    @staticmethod
    @batch_rule
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> tuple[tuple[Tensor, ...], tuple[int | None, ...]]:
        size, need, tensors, options = info.batch_size, inputs[-3:], inputs[:5], inputs[5:]
        if not any(need[1:]) and in_dims[3] is None and in_dims[4] is None:
            folded = [
                (t.expand(size, *t.shape) if dim is None else t.movedim(dim, 0)).flatten(0, 1)
                for t, dim in zip(tensors[:3], in_dims, strict=False)
            ]
            grad, *none = RefocusBackward.apply(*folded, *tensors[3:], *options)
            return (grad.unflatten(0, (size, grad.shape[0] // size)), *none), (0, None, None)
        found = zip(*_one_by_one(RefocusBackward.apply, size, in_dims, tensors, options), strict=True)
        grads = tuple(torch.stack(each) if wanted else each[0] for each, wanted in zip(found, need, strict=True))
        return grads, tuple(0 if wanted else None for wanted in need)
