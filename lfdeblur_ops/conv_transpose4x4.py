"""``conv_transpose4x4``: transposed 4x4 convolution of stride 2 with bias, LeakyReLU and addition."""

import torch
from torch import Tensor

from . import reference
from ._checks import autocast, check_image, check_like, slope_of
from ._dispatch import TRITON_CONVOLUTION, Impl, define, register, select
from ._gradients import activation_backward, convolution_backward
from ._layouts import empty_output
from ._levels import overridable
from ._onednn import convolution_missing

# What the arguments are: csrc/conv_transpose4x4.cpp.
define("conv_transpose4x4(Tensor x, Tensor weight, Tensor? bias, Tensor? residual, float negative_slope) -> Tensor")


@overridable
def conv_transpose4x4(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    activation: str | None = None,
    residual: Tensor | None = None,
    negative_slope: float = 0.1,
    backend: str = "auto",
) -> Tensor:
    """Double the size of ``x``: ``activation(conv_transpose(x) + bias) + residual``, stride 2, padding 1.

    Args:
        x: ``[N, C, H, W]`` float64, float32, float16 or bfloat16; any strides.
        weight: ``[C, O, 4, 4]``, as that of ``torch.nn.ConvTranspose2d``; dtype and device of ``x``, as all others.
        bias: ``[O]`` or None.
        activation: ``"leaky_relu"`` or None.
        residual: ``[N, O, 2H, 2W]``, added after the activation (a decoder's skip connection); or None.
        negative_slope: of LeakyReLU, from 0 to 1; it is not read without an activation.
        backend: ``auto``, or ``triton | cpu | reference``, as for ``conv3x3``.

    Returns:
        ``[N, O, 2H, 2W]``, dtype of ``x``, laid out as by ``conv3x3``; summed in float32 (float64 for float64).
        Differentiable in all tensors. Under autocast all tensors are cast to the autocast dtype.

    Raises:
        RuntimeError: shapes or devices disagree.
        TypeError: not tensors, or dtypes that differ or are not floating point.
        ValueError: a bad ``activation``, ``negative_slope`` or ``backend``.
        BackendError: the back end cannot run the call; it says why.
    """
    slope = slope_of(activation, negative_slope)
    x, weight, bias, residual = autocast(x, weight, bias, residual)  # type: ignore[assignment]
    check_image("x", x)
    n, c, h, w = x.shape
    if weight is None:
        raise TypeError("weight: got None, want a tensor")
    check_like("weight", weight, (c, None, 4, 4), x)
    outputs = weight.shape[1]
    check_like("bias", bias, (outputs,), x)
    check_like("residual", residual, (n, outputs, 2 * h, 2 * w), x)
    chosen = select("conv_transpose4x4", backend, x.device, x.dtype)
    run = reference.conv_transpose4x4 if chosen == "reference" else torch.ops.lfdeblur.conv_transpose4x4
    return run(x, weight, bias, residual, slope)


@torch.library.register_fake("lfdeblur::conv_transpose4x4")
def _(x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor | None, negative_slope: float) -> Tensor:
    n, _, h, w = x.shape
    return empty_output(x, (n, weight.shape[1], 2 * h, 2 * w))


def _setup_context(ctx, inputs, output: Tensor) -> None:  # type: ignore[no-untyped-def]
    x, weight, bias, residual, ctx.slope = inputs
    # A sum hides the activation's sign: then it is computed anew.
    ctx.save_for_backward(x, weight, bias, output if residual is None and ctx.slope != 1 else None)


def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    x, weight, bias, activated = ctx.saved_tensors
    need_x, need_weight, need_bias, need_residual = ctx.needs_input_grad[:4]
    grad_residual = grad if need_residual else None
    if ctx.slope != 1:
        if activated is None:
            activated = torch.ops.lfdeblur.conv_transpose4x4(x, weight, bias, None, ctx.slope)
        grad = activation_backward(grad, activated, ctx.slope)
    wanted = (need_x, need_weight, need_bias)
    grads = convolution_backward(grad, x, weight, wanted, stride=2, transposed=True)
    return *grads, grad_residual, None


torch.library.register_autograd("lfdeblur::conv_transpose4x4", _backward, setup_context=_setup_context)
register("conv_transpose4x4", {"triton": TRITON_CONVOLUTION, "cpu": Impl("cpu", convolution_missing)})
