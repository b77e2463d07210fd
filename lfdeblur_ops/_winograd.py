"""``conv3x3`` and ``residual_block`` on the CPU by Winograd's F(4x4, 3x3), a quarter of the multiplications: float32.

The back end ``winograd``, which is taken by name only. Gradients run by the same transforms: that of the input is a
convolution with the weights turned round, that of the weight sums the products of transformed tiles.
"""

import torch
from torch import Tensor

from ._checks import autocast_dtype
from ._dispatch import BackendError, Impl, cpu_missing, define

# weight [O, C, 3, 3] at the 36 products of a tile -> [36, O / 16, C, 16] float32; flipped: weights of the convolution
# from O to C channels that gives the input's gradient.
define("winograd_weight(Tensor weight, bool flipped) -> Tensor")
# x [N, C, H, W] and x2 [N, C2, H, W], channels dense, with rows above them [N, C or C2, A, W]; weight that of
# `winograd_weight`; bias [O] float32; residual [N, O, R, W] with rows above; pad_top, pad_bottom: 0 or 1 rows of zeros;
# negative_slope 0 to 1 -> [N, O, A + H - 2 + pad_top + pad_bottom, W], channels-last. activated: as x, output of a
# LeakyReLU whose derivative x is multiplied by.
define(
    "winograd_conv3x3(Tensor? above, Tensor x, Tensor? x2_above, Tensor? x2, Tensor weight, Tensor? bias, "
    "Tensor? residual_above, Tensor? residual, int pad_top, int pad_bottom, float negative_slope, "
    "Tensor? activated=None, float activated_slope=1.0) -> Tensor"
)
# grad and activated [N, O, H, W], x and x2 as above; negative_slope of the activation
# -> gradients of weight [O, C + C2, 3, 3] and bias [O]
define(
    "winograd_weight_gradient(Tensor grad, Tensor? activated, Tensor x, Tensor? x2, float negative_slope) "
    "-> (Tensor, Tensor)"
)
# As `conv3x3` and `residual_block` of stride 1, float32, channels multiples of 16; the result is channels-last.
define(
    "conv3x3_winograd(Tensor x, Tensor? x2, Tensor weight, Tensor? bias, Tensor? residual, float negative_slope) "
    "-> Tensor"
)
define(
    "residual_block_winograd(Tensor x, Tensor weight1, Tensor? bias1, Tensor weight2, Tensor? bias2, "
    "float negative_slope) -> Tensor"
)
# Gradients of cat([x, x2]) (plus `added`, of its shape), weight and bias; empty ones that are not needed.
define(
    "conv3x3_winograd_backward(Tensor grad, Tensor? activated, Tensor x, Tensor? x2, Tensor weight, Tensor? added, "
    "float negative_slope, bool need_x, bool need_weight) -> (Tensor, Tensor, Tensor)"
)

MULTIPLE = 16  # of channels, in and out


def unfit(x: Tensor, weight: Tensor, x2: Tensor | None = None, stride: int = 1) -> str | None:
    """Why this back end cannot run ``conv3x3``, or ``residual_block`` with such weights; None: it can."""
    missing = cpu_missing()
    if missing is not None:
        return missing
    dtype = autocast_dtype(x) or x.dtype
    if x.device.type != "cpu":
        return f"the tensors are on {x.device}"
    if dtype != torch.float32:
        return _unfit_dtype(dtype)
    if stride != 1:
        return f"no kernel for stride {stride}"
    for name, channels in (
        ("x", x.shape[1]),
        ("x2", 0 if x2 is None else x2.shape[1]),
        ("the result", weight.shape[0]),
    ):
        if channels % MULTIPLE:
            return f"{name} has {channels} channels, want a multiple of {MULTIPLE}"
    return None


def _unfit_dtype(dtype: torch.dtype) -> str | None:
    return None if dtype == torch.float32 else f"no kernel for {str(dtype).removeprefix('torch.')}, only for float32"


def impl(run) -> Impl:  # type: ignore[no-untyped-def]
    return Impl(run, "cpu", cpu_missing, _unfit_dtype)


def conv3x3(
    x: Tensor,
    x2: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor | None,
    stride: int,
    negative_slope: float,
) -> Tensor:
    """Arguments as those of ``torch.ops.lfdeblur.conv3x3``."""
    _require(unfit(x, weight, x2, stride))
    out: Tensor = torch.ops.lfdeblur.conv3x3_winograd(x, x2, weight, bias, residual, negative_slope)
    return out


def residual_block(
    x: Tensor, weight1: Tensor, bias1: Tensor | None, weight2: Tensor, bias2: Tensor | None, negative_slope: float
) -> Tensor:
    """Arguments as those of ``torch.ops.lfdeblur.residual_block``."""
    _require(unfit(x, weight1))
    out: Tensor = torch.ops.lfdeblur.residual_block_winograd(x, weight1, bias1, weight2, bias2, negative_slope)
    return out


def _require(reason: str | None) -> None:
    if reason is not None:
        raise BackendError(f"no backend can run this call: winograd: {reason}")


def _channels_last(x: Tensor | None) -> Tensor | None:
    return x if x is None or x.stride(1) == 1 else x.contiguous(memory_format=torch.channels_last)


def _convolve(
    x: Tensor,
    x2: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor | None,
    slope: float,
    *,
    flipped: bool = False,
    activated: Tensor | None = None,
    activated_slope: float = 1.0,
) -> Tensor:
    packed = torch.ops.lfdeblur.winograd_weight(weight.contiguous(), flipped)
    bias = None if bias is None else bias.contiguous()
    x, x2, residual, activated = map(_channels_last, (x, x2, residual, activated))  # type: ignore[assignment]
    out: Tensor = torch.ops.lfdeblur.winograd_conv3x3(
        None, x, None, x2, packed, bias, None, residual, 1, 1, slope, activated, activated_slope
    )
    return out.contiguous(memory_format=torch.channels_last)  # one channel or pixel lies like any other


@torch.library.impl("lfdeblur::conv3x3_winograd", "cpu")
def _(
    x: Tensor, x2: Tensor | None, weight: Tensor, bias: Tensor | None, residual: Tensor | None, negative_slope: float
) -> Tensor:
    return _convolve(x, x2, weight, bias, residual, negative_slope)


@torch.library.impl("lfdeblur::residual_block_winograd", "cpu")
def _(
    x: Tensor, weight1: Tensor, bias1: Tensor | None, weight2: Tensor, bias2: Tensor | None, negative_slope: float
) -> Tensor:
    hidden = _convolve(x, None, weight1, bias1, None, negative_slope)
    return _convolve(hidden, None, weight2, bias2, x, 1.0)


@torch.library.impl("lfdeblur::conv3x3_winograd_backward", "cpu")
def _(
    grad: Tensor,
    activated: Tensor | None,
    x: Tensor,
    x2: Tensor | None,
    weight: Tensor,
    added: Tensor | None,
    negative_slope: float,
    need_x: bool,
    need_weight: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    grad, activated, x, x2 = map(_channels_last, (grad, activated, x, x2))  # type: ignore[assignment]
    options = {"flipped": True, "activated": activated, "activated_slope": negative_slope}
    grad_x = _convolve(grad, None, weight, None, added, 1.0, **options) if need_x else x.new_empty(0)  # type: ignore[arg-type]
    if not need_weight:
        return grad_x, x.new_empty(0), x.new_empty(0)
    return grad_x, *torch.ops.lfdeblur.winograd_weight_gradient(grad, activated, x, x2, negative_slope)


def _empty(x: Tensor, channels: int | torch.SymInt) -> Tensor:
    n, _, h, w = x.shape
    return x.new_empty((n, channels, h, w)).to(memory_format=torch.channels_last)  # fake: nothing is copied


@torch.library.register_fake("lfdeblur::conv3x3_winograd")
def _(
    x: Tensor, x2: Tensor | None, weight: Tensor, bias: Tensor | None, residual: Tensor | None, negative_slope: float
) -> Tensor:
    return _empty(x, weight.shape[0])


@torch.library.register_fake("lfdeblur::residual_block_winograd")
def _(
    x: Tensor, weight1: Tensor, bias1: Tensor | None, weight2: Tensor, bias2: Tensor | None, negative_slope: float
) -> Tensor:
    return _empty(x, x.shape[1])


@torch.library.register_fake("lfdeblur::conv3x3_winograd_backward")
def _(
    grad: Tensor,
    activated: Tensor | None,
    x: Tensor,
    x2: Tensor | None,
    weight: Tensor,
    added: Tensor | None,
    negative_slope: float,
    need_x: bool,
    need_weight: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    grad_x = _empty(x, weight.shape[1]) if need_x else x.new_empty(0)
    if not need_weight:
        return grad_x, x.new_empty(0), x.new_empty(0)
    return grad_x, x.new_empty(weight.shape), x.new_empty(weight.shape[:1])


def _setup_conv3x3(ctx, inputs, output: Tensor) -> None:  # type: ignore[no-untyped-def]
    x, x2, weight, bias, residual, ctx.slope = inputs
    # A sum hides the activation's sign: then it is computed anew.
    ctx.save_for_backward(x, x2, weight, bias, output if residual is None and ctx.slope != 1 else None)


def _backward_conv3x3(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    x, x2, weight, bias, activated = ctx.saved_tensors
    need_x, need_x2, need_weight, need_bias, need_residual = ctx.needs_input_grad[:5]
    if activated is None and ctx.slope != 1:
        activated = torch.ops.lfdeblur.conv3x3_winograd(x, x2, weight, bias, None, ctx.slope)
    grad_joint, grad_weight, grad_bias = torch.ops.lfdeblur.conv3x3_winograd_backward(
        grad, activated, x, x2, weight, None, ctx.slope, need_x or need_x2, need_weight or need_bias
    )
    split = x.shape[1]
    return (
        grad_joint[:, :split] if need_x else None,
        grad_joint[:, split:] if need_x2 else None,
        grad_weight if need_weight else None,
        grad_bias if need_bias else None,
        grad if need_residual else None,
        None,
    )


def _setup_residual_block(ctx, inputs, output: Tensor) -> None:  # type: ignore[no-untyped-def]
    *tensors, ctx.slope = inputs
    ctx.save_for_backward(*tensors[:4])


def _backward_residual_block(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    x, weight1, bias1, weight2 = ctx.saved_tensors
    need_x, need_weight1, need_bias1, need_weight2, need_bias2 = ctx.needs_input_grad[:5]
    first, second = need_weight1 or need_bias1, need_weight2 or need_bias2
    backward = torch.ops.lfdeblur.conv3x3_winograd_backward
    hidden = torch.ops.lfdeblur.conv3x3_winograd(x, None, weight1, bias1, None, ctx.slope)
    grad_hidden, grad_weight2, grad_bias2 = backward(
        grad, None, hidden, None, weight2, None, 1.0, need_x or first, second
    )
    grad_x = grad_weight1 = grad_bias1 = None
    if need_x or first:
        grad_x, grad_weight1, grad_bias1 = backward(
            grad_hidden, hidden, x, None, weight1, grad if need_x else None, ctx.slope, need_x, first
        )
    return (
        grad_x if need_x else None,
        grad_weight1 if need_weight1 else None,
        grad_bias1 if need_bias1 else None,
        grad_weight2 if need_weight2 else None,
        grad_bias2 if need_bias2 else None,
        None,
    )


def _no_second_derivative(ctx, *grads: Tensor) -> None:  # type: ignore[no-untyped-def]
    raise RuntimeError("winograd: second derivatives are not implemented; use backend='cpu' for them")


torch.library.register_autograd("lfdeblur::conv3x3_winograd", _backward_conv3x3, setup_context=_setup_conv3x3)
torch.library.register_autograd(
    "lfdeblur::residual_block_winograd", _backward_residual_block, setup_context=_setup_residual_block
)
torch.library.register_autograd("lfdeblur::conv3x3_winograd_backward", _no_second_derivative)
