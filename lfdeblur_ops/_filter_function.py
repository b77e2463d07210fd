"""``dynamic_filter`` under the transforms of PyTorch: the kernels again, since it is linear in both of its tensors.

With ``A(x, f)`` the result, ``B(g, f)`` and ``C(g, x)`` the gradients of picture and filters, the derivatives of any
order are made of ``A``, ``B`` and ``C``.
"""

from typing import Any

import torch
from torch import Tensor

from . import reference
from ._derivatives import backward_of, gradients
from ._filter_forms import Options, apart
from ._levels import batch_rule, primals


def with_normalized(x: Tensor, filters: Tensor, options: Options) -> tuple[Any, ...]:
    """Filters that are normalised already, and the options for them: what is left is linear in both tensors."""
    if options.normalize == "none":
        return filters, *options
    taps = reference.normalized(apart(x, filters, options), options.normalize)
    return taps, *options._replace(normalize="none")


def _formula(x: Tensor, filters: Tensor, *options: Any) -> Tensor:
    return Filter.apply(x, *with_normalized(x, filters, Options.of(*options)))


def _folded(tensor: Tensor, dim: int | None, size: int) -> Tensor:
    """The batch of a transform in the first axis: ``[size * N, ...]``. What has no batch is repeated."""
    return (tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)).flatten(0, 1)


def _shared(x: Tensor, filters: Tensor, options: Any) -> bool:
    """Whether all channels have the same filters; ``x`` may have an axis more in front."""
    return apart(x, filters, Options.of(*options)).shape[1] == 1


def _among_channels(tensor: Tensor, dim: int) -> Tensor:
    """``[N, size * C, H, W]``: filters that all channels share are then read once and not repeated."""
    return tensor.movedim(dim, 1).flatten(1, 2)


class Filter(torch.autograd.Function):
    """``A``."""

    @staticmethod
    def forward(x: Tensor, filters: Tensor, *options: Any) -> Tensor:
        return torch.ops.lfdeblur.dynamic_filter(x, filters, *options)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, filters, *ctx.options = inputs
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, filters)
        ctx.save_for_forward(x, filters)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        need = ctx.needs_input_grad[:2]
        grads = FilterBackward.apply(grad, *ctx.saved_tensors, *ctx.options, *need)
        return *(g if wanted else None for g, wanted in zip(grads, need, strict=True)), *(None for _ in ctx.options)

    @staticmethod
    def jvp(ctx: Any, along_x: Tensor | None, along_filters: Tensor | None, *_: None) -> Tensor:
        with primals(*ctx.saved_tensors) as (x, filters):
            terms = [(along_x, filters)] if along_x is not None else []
            terms += [(x, along_filters)] if along_filters is not None else []
            return sum(Filter.apply(*pair, *ctx.options) for pair in terms)

    @staticmethod
    @batch_rule
    def vmap(info: Any, in_dims: Any, x: Tensor, filters: Tensor, *options: Any) -> tuple[Tensor, int]:
        size = info.batch_size
        if in_dims[1] is None:
            wide = _among_channels(x, in_dims[0])
            if _shared(wide, filters, options):
                out = Filter.apply(wide, filters, *options)
                return out.unflatten(1, (size, out.shape[1] // size)), 1
        out = Filter.apply(_folded(x, in_dims[0], size), _folded(filters, in_dims[1], size), *options)
        return out.unflatten(0, (size, out.shape[0] // size)), 0


class FilterBackward(torch.autograd.Function):
    """``B`` and ``C``; an empty tensor for what is not needed."""

    @staticmethod
    def forward(grad: Tensor, x: Tensor, filters: Tensor, *how: Any) -> tuple[Tensor, Tensor]:
        return torch.ops.lfdeblur.dynamic_filter_backward(grad, x, filters, *how)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        grad, x, filters, *ctx.options, need_x, need_filters = inputs
        ctx.need = (need_x, need_filters)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(grad, x, filters)
        ctx.save_for_forward(grad, x, filters)

    @staticmethod
    def backward(ctx: Any, along_x: Tensor | None, along_filters: Tensor | None) -> tuple[Tensor | None, ...]:
        grad, x, filters = ctx.saved_tensors
        if Options.of(*ctx.options).normalize != "none":
            return _derived(ctx, along_x, along_filters)
        need_x, need_filters = ctx.need[0] and along_x is not None, ctx.need[1] and along_filters is not None
        want_grad, want_x, want_filters = ctx.needs_input_grad[:3]
        want_x, want_filters = want_x and need_filters, want_filters and need_x
        of_grad = of_x = of_filters = None
        if want_grad and (need_x or need_filters):
            terms = [(along_x, filters)] * need_x + [(x, along_filters)] * need_filters
            of_grad = sum(Filter.apply(*pair, *ctx.options) for pair in terms)
        if want_x or want_filters:
            pair = (along_x if need_x else x, along_filters if need_filters else filters)
            of_x, of_filters = FilterBackward.apply(grad, *pair, *ctx.options, want_x, want_filters)
        rest = (None for _ in (*ctx.options, *ctx.need))
        return of_grad, of_x if want_x else None, of_filters if want_filters else None, *rest

    @staticmethod
    def jvp(
        ctx: Any, along_grad: Tensor | None, along_x: Tensor | None, along_filters: Tensor | None, *_: None
    ) -> tuple[Tensor, Tensor]:
        with primals(*ctx.saved_tensors) as (grad, x, filters):
            terms = [(along_grad, x, filters)] if along_grad is not None else []
            if along_x is not None or along_filters is not None:
                along_x = torch.zeros_like(x) if along_x is None else along_x
                along_filters = torch.zeros_like(filters) if along_filters is None else along_filters
                terms.append((grad, along_x, along_filters))
            found = [FilterBackward.apply(*three, *ctx.options, *ctx.need) for three in terms]
            return tuple(sum(parts) for parts in zip(*found, strict=True))

    @staticmethod
    @batch_rule
    def vmap(
        info: Any, in_dims: Any, grad: Tensor, x: Tensor, filters: Tensor, *how: Any
    ) -> tuple[tuple[Tensor, Tensor], tuple[int | None, int | None]]:
        size, (*options, need_x, need_filters) = info.batch_size, how
        if not need_filters and in_dims[0] is not None and in_dims[2] is None:
            wide = x.unsqueeze(0).expand(size, *x.shape) if in_dims[1] is None else x.movedim(in_dims[1], 0)
            wide = _among_channels(wide, 0)
            if _shared(wide, filters, options):
                of_x, none = FilterBackward.apply(_among_channels(grad, in_dims[0]), wide, filters, *how)
                return (of_x.unflatten(1, (size, wide.shape[1] // size)), none), (1, None)
        three = (_folded(t, dim, size) for t, dim in zip((grad, x, filters), in_dims[:3], strict=True))
        found = FilterBackward.apply(*three, *how)
        both = tuple(
            g.unflatten(0, (size, g.shape[0] // size)) if need else g
            for g, need in zip(found, (need_x, need_filters), strict=True)
        )
        return both, (0 if need_x else None, 0 if need_filters else None)


def _derived(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
    """Derivatives of the gradients where filters are normalised, by those of its formula around the kernels."""
    wanted = [
        place
        for place, (need, along) in enumerate(zip(ctx.need, cotangents, strict=True))
        if need and along is not None
    ]
    rest = (None for _ in (*ctx.options, *ctx.need))
    if not wanted:
        return None, None, None, *rest
    backward = backward_of(_formula, 2, wanted)
    found = gradients(backward, (*ctx.saved_tensors, *ctx.options), tuple(cotangents[place] for place in wanted))
    return *found[:3], *rest
