"""``residual_block``: ``x + conv(leaky_relu(conv(x)))`` as one op."""

import torch
from torch import Tensor

from . import _winograd, reference
from ._checks import autocast, check_image, check_like, check_slope
from ._dispatch import TRITON_CONVOLUTION, Impl, define, register
from ._gradients import activation_backward, convolution_backward
from ._layouts import empty_output
from ._levels import overridable
from ._onednn import convolution_missing

# What the arguments are: csrc/residual_block.cpp.
define(
    "residual_block(Tensor x, Tensor weight1, Tensor? bias1, Tensor weight2, Tensor? bias2, float negative_slope, "
    "str algorithm='direct') -> Tensor"
)


@overridable
def residual_block(
    x: Tensor,
    weight1: Tensor,
    bias1: Tensor | None,
    weight2: Tensor,
    bias2: Tensor | None,
    *,
    negative_slope: float = 0.1,
    backend: str = "auto",
) -> Tensor:
    """``x + conv3x3(leaky_relu(conv3x3(x, weight1, bias1)), weight2, bias2)``, the residual block of DRBNet and EDSR.

    Args:
        x: ``[N, C, H, W]`` float64, float32, float16 or bfloat16; any strides.
        weight1, weight2: ``[C, C, 3, 3]``, as those of ``torch.nn.Conv2d``; dtype and device of ``x``, as all others.
        bias1, bias2: ``[C]`` or None.
        negative_slope: of LeakyReLU, from 0 to 1.
        backend: ``auto``, or ``triton | cpu | winograd | reference | fast``, as for ``conv3x3``.

    Returns:
        ``[N, C, H, W]``, dtype of ``x``, laid out as by ``conv3x3``; summed in float32 (float64 for float64).
        Differentiable in all tensors; the values between the convolutions are not kept but computed anew in the
        backward pass. Under autocast all tensors are cast to the autocast dtype.

    Raises:
        RuntimeError: shapes or devices disagree.
        TypeError: not tensors, or dtypes that differ or are not floating point.
        ValueError: a bad ``negative_slope`` or ``backend``.
        BackendError: the back end cannot run the call; it says why.
    """
    check_slope(negative_slope)
    x, weight1, bias1, weight2, bias2 = autocast(x, weight1, bias1, weight2, bias2)  # type: ignore[assignment]
    check_image("x", x)
    c = x.shape[1]
    for number, (weight, bias) in enumerate(((weight1, bias1), (weight2, bias2)), 1):
        if weight is None:
            raise TypeError(f"weight{number}: got None, want a tensor")
        check_like(f"weight{number}", weight, (c, c, 3, 3), x)
        check_like(f"bias{number}", bias, (c,), x)
    chosen, algorithm = _winograd.choose("residual_block", backend, x, weight1)
    slope = float(negative_slope)
    if chosen == "reference":
        return reference.residual_block(x, weight1, bias1, weight2, bias2, slope)
    return torch.ops.lfdeblur.residual_block(x, weight1, bias1, weight2, bias2, slope, algorithm)


@torch.library.register_fake("lfdeblur::residual_block")
def _(
    x: Tensor,
    weight1: Tensor,
    bias1: Tensor | None,
    weight2: Tensor,
    bias2: Tensor | None,
    negative_slope: float,
    algorithm: str = "direct",
) -> Tensor:
    return empty_output(x, x.shape, None if algorithm == "direct" else torch.channels_last)


def _setup_context(ctx, inputs, output: Tensor) -> None:  # type: ignore[no-untyped-def]
    *tensors, ctx.slope, ctx.algorithm = inputs
    ctx.save_for_backward(*tensors[:4])


def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    x, weight1, bias1, weight2 = ctx.saved_tensors
    need_x, need_weight1, need_bias1, need_weight2, need_bias2 = ctx.needs_input_grad[:5]
    need_hidden = need_x or need_weight1 or need_bias1
    hidden = torch.ops.lfdeblur.conv3x3(x, None, weight1, bias1, None, 1, ctx.slope, ctx.algorithm)
    grad_x = grad_weight1 = grad_bias1 = None
    if ctx.algorithm != "direct":
        first, second = need_weight1 or need_bias1, need_weight2 or need_bias2
        grad_hidden, *grads2 = _winograd.backward(
            grad, None, hidden, None, weight2, None, 1.0, need_hidden, second, ctx.algorithm
        )
        grads1 = (None, None, None)
        if need_hidden:
            added = grad if need_x else None
            inputs = (grad_hidden, hidden, x, None, weight1, added)
            grads1 = _winograd.backward(*inputs, ctx.slope, need_x, first, ctx.algorithm)
        grads, wanted = (*grads1, *grads2), ctx.needs_input_grad
        return *(g if want else None for g, want in zip(grads, wanted, strict=False)), None, None
    wanted = (need_hidden, need_weight2, need_bias2)
    grad_hidden, grad_weight2, grad_bias2 = convolution_backward(grad, hidden, weight2, wanted)
    if grad_hidden is not None:
        before = activation_backward(grad_hidden, hidden, ctx.slope)
        wanted = (need_x, need_weight1, need_bias1)
        grad_x, grad_weight1, grad_bias1 = convolution_backward(before, x, weight1, wanted)
        if grad_x is not None:
            grad_x = grad_x + grad
    return grad_x, grad_weight1, grad_bias1, grad_weight2, grad_bias2, None, None


torch.library.register_autograd("lfdeblur::residual_block", _backward, setup_context=_setup_context)
register(
    "residual_block",
    {"triton": TRITON_CONVOLUTION, "cpu": Impl("cpu", convolution_missing), "winograd": _winograd.IMPL},
)
