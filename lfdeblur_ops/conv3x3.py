"""``conv3x3``: 3x3 convolution with bias, LeakyReLU, addition and a second input in one pass over memory."""

import torch
from torch import Tensor

from . import _winograd, reference
from ._checks import autocast, check_image, check_like, slope_of
from ._dispatch import TRITON_CONVOLUTION, Impl, define, register
from ._gradients import activation_backward, convolution_backward
from ._layouts import empty_output
from ._levels import overridable
from ._onednn import convolution_missing

# What the arguments are: csrc/conv3x3.cpp.
define(
    "conv3x3(Tensor x, Tensor? x2, Tensor weight, Tensor? bias, Tensor? residual, int stride, float negative_slope, "
    "str algorithm='direct') -> Tensor"
)


@overridable
def conv3x3(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    activation: str | None = None,
    residual: Tensor | None = None,
    x2: Tensor | None = None,
    stride: int = 1,
    negative_slope: float = 0.1,
    backend: str = "auto",
) -> Tensor:
    """3x3 convolution of ``x`` (and ``x2``) with its epilogue: ``activation(conv(cat([x, x2])) + bias) + residual``.

    The border is padded with one pixel of zeros. Neither the concatenation nor a value before the activation is kept.

    Args:
        x: ``[N, C, H, W]`` float64, float32, float16 or bfloat16; any strides.
        weight: ``[O, C + C2, 3, 3]``, as that of ``torch.nn.Conv2d``; dtype and device of ``x``, as all others.
        bias: ``[O]`` or None.
        activation: ``"leaky_relu"`` or None.
        residual: added after the activation: ``[N, O, OH, OW]`` with ``OH = (H - 1) // stride + 1``; or None.
        x2: ``[N, C2, H, W]``, further input channels after those of ``x``; or None.
        stride: 1 or 2.
        negative_slope: of LeakyReLU, from 0 to 1; it is not read without an activation.
        backend: ``auto``, or ``triton | cpu | winograd | reference``, a forced one never falls back; or ``fast``.
            Triton runs float32 only where ``torch.backends.cudnn.conv.fp32_precision`` is ``"tf32"``, PyTorch's
            default, and as TF32. ``cpu`` is oneDNN's fused convolution, as PyTorch has it. ``winograd``, which ``auto``
            never takes, is F(4x4, 3x3) in the extension: CPU, float32, stride 1, channels (of ``x``, ``x2`` and the
            result) multiples of 16; a quarter of the multiplications, forward and backward, at three times the rounding
            error. Channels-last. ``fast`` is ``auto``, but on the CPU what ``winograd`` can run is channels-last, and
            runs so from 2048 pixels of all pictures together on, where it pays.

    Returns:
        ``[N, O, OH, OW]``, dtype of ``x``; summed in float32 (float64 for float64). On the CPU channels-last where the
        channels of ``x`` lie side by side, else contiguous; on other devices channels-last. Differentiable in all
        tensors; the backward pass keeps the inputs and, for the activation, the output, which has its input's sign.
        Under autocast all tensors are cast to the autocast dtype.

    Raises:
        RuntimeError: shapes or devices disagree.
        TypeError: not tensors, or dtypes that differ or are not floating point.
        ValueError: a bad ``activation``, ``stride``, ``negative_slope`` or ``backend``.
        BackendError: the back end cannot run the call; it says why.
    """
    slope = slope_of(activation, negative_slope)
    x, weight, bias, residual, x2 = autocast(x, weight, bias, residual, x2)  # type: ignore[assignment]
    check_image("x", x)
    if isinstance(stride, (bool, float)) or stride not in (1, 2):
        raise ValueError(f"stride: got {stride!r}, want 1 or 2")
    n, c, h, w = x.shape
    check_like("x2", x2, (n, None, h, w), x)
    inputs = c if x2 is None else c + x2.shape[1]
    if weight is None:
        raise TypeError("weight: got None, want a tensor")
    check_like("weight", weight, (None, inputs, 3, 3), x)
    outputs = weight.shape[0]
    check_like("bias", bias, (outputs,), x)
    check_like("residual", residual, (n, outputs, (h - 1) // stride + 1, (w - 1) // stride + 1), x)
    chosen, algorithm = _winograd.choose("conv3x3", backend, x, weight, x2, stride)
    if chosen == "reference":
        return reference.conv3x3(x, x2, weight, bias, residual, stride, slope)
    return torch.ops.lfdeblur.conv3x3(x, x2, weight, bias, residual, stride, slope, algorithm)


@torch.library.register_fake("lfdeblur::conv3x3")
def _(
    x: Tensor,
    x2: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor | None,
    stride: int,
    negative_slope: float,
    algorithm: str = "direct",
) -> Tensor:
    n, _, h, w = x.shape
    shape = (n, weight.shape[0], (h - 1) // stride + 1, (w - 1) // stride + 1)
    return empty_output(x, shape, None if algorithm == "direct" else torch.channels_last)


def _setup_context(ctx, inputs, output: Tensor) -> None:  # type: ignore[no-untyped-def]
    x, x2, weight, bias, residual, ctx.stride, ctx.slope, ctx.algorithm = inputs
    # A sum hides the activation's sign: then it is computed anew.
    ctx.save_for_backward(x, x2, weight, bias, output if residual is None and ctx.slope != 1 else None)


def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    x, x2, weight, bias, activated = ctx.saved_tensors
    need_x, need_x2, need_weight, need_bias, need_residual = ctx.needs_input_grad[:5]
    grad_residual = grad if need_residual else None
    if activated is None and ctx.slope != 1:
        activated = torch.ops.lfdeblur.conv3x3(x, x2, weight, bias, None, ctx.stride, ctx.slope, ctx.algorithm)
    split = x.shape[1]
    if ctx.algorithm != "direct":
        need = (need_x or need_x2, need_weight or need_bias)
        joint, grad_weight, grad_bias = _winograd.backward(
            grad, activated, x, x2, weight, None, ctx.slope, *need, ctx.algorithm
        )
        # Batched gradients know no slice of all channels.
        of_x = joint if x2 is None or not need_x else joint[:, :split]
        return (
            of_x if need_x else None,
            joint[:, split:] if need_x2 else None,
            grad_weight if need_weight else None,
            grad_bias if need_bias else None,
            grad_residual,
            *(None, None, None),
        )
    grad = activation_backward(grad, activated, ctx.slope)
    wanted = (need_x, need_weight, need_bias)
    grad_x, grad_weight, grad_bias = convolution_backward(grad, x, weight[:, :split], wanted, stride=ctx.stride)
    grad_x2 = None
    if x2 is not None:
        wanted = (need_x2, need_weight, False)
        grad_x2, rest, _ = convolution_backward(grad, x2, weight[:, split:], wanted, stride=ctx.stride)
        if grad_weight is not None and rest is not None:
            grad_weight = torch.cat([grad_weight, rest], 1)
    return grad_x, grad_x2, grad_weight, grad_bias, grad_residual, None, None, None


torch.library.register_autograd("lfdeblur::conv3x3", _backward, setup_context=_setup_context)
register("conv3x3", {"triton": TRITON_CONVOLUTION, "cpu": Impl("cpu", convolution_missing), "winograd": _winograd.IMPL})
