"""``conv3x3`` and ``residual_block`` on the CPU by Winograd's F(4x4, 3x3), a quarter of the multiplications: float32.

The back end ``winograd``, which is taken by name only: what the ops run where their argument ``winograd`` is true.
Gradients run by the same transforms: that of the input is a convolution with the weights turned round, that of the
weight sums the products of transformed tiles.
"""

import torch
from torch import Tensor

from ._checks import autocast_dtype
from ._derivatives import gradients
from ._dispatch import BackendError, Impl, cpu_missing, define
from ._gradients import activation_backward, convolution_backward
from ._layouts import empty_output

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
# Of `conv3x3` with `winograd`, activated its result -> gradients of cat([x, x2]) (plus `added`, of its shape), weight
# and bias; empty ones that are not needed.
define(
    "winograd_backward(Tensor grad, Tensor? activated, Tensor x, Tensor? x2, Tensor weight, Tensor? added, "
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


IMPL = Impl("cpu", cpu_missing, _unfit_dtype)


def require(x: Tensor, weight: Tensor, x2: Tensor | None = None, stride: int = 1) -> None:
    reason = unfit(x, weight, x2, stride)
    if reason is not None:
        raise BackendError(f"no backend can run this call: winograd: {reason}")


def _channels_last(x: Tensor | None) -> Tensor | None:
    return x if x is None or x.stride(1) == 1 else x.contiguous(memory_format=torch.channels_last)


def convolve(
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
    """``leaky_relu(conv(cat([x, x2])) + bias) + residual``, channels-last; ``x`` times the derivative of the LeakyReLU
    that gave ``activated``. ``flipped``: the convolution that is the gradient of the input."""
    packed = torch.ops.lfdeblur.winograd_weight(weight.contiguous(), flipped)
    bias = None if bias is None else bias.contiguous()
    x, x2, residual, activated = map(_channels_last, (x, x2, residual, activated))  # type: ignore[assignment]
    out: Tensor = torch.ops.lfdeblur.winograd_conv3x3(
        None, x, None, x2, packed, bias, None, residual, 1, 1, slope, activated, activated_slope
    )
    return out.contiguous(memory_format=torch.channels_last)  # one channel or pixel lies like any other


@torch.library.impl("lfdeblur::winograd_backward", "cpu")
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
    grad_x = convolve(grad, None, weight, None, added, 1.0, **options) if need_x else x.new_empty(0)  # type: ignore[arg-type]
    if not need_weight:
        return grad_x, x.new_empty(0), x.new_empty(0)
    return grad_x, *torch.ops.lfdeblur.winograd_weight_gradient(grad, activated, x, x2, negative_slope)


@torch.library.register_fake("lfdeblur::winograd_backward")
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
    n, _, h, w = x.shape
    shape = (n, weight.shape[1], h, w)
    grad_x = empty_output(x, shape, torch.channels_last) if need_x else x.new_empty(0)
    if not need_weight:
        return grad_x, x.new_empty(0), x.new_empty(0)
    return grad_x, x.new_empty(weight.shape), x.new_empty(weight.shape[:1])


def _plain_backward(
    grad: Tensor,
    activated: Tensor | None,
    x: Tensor,
    x2: Tensor | None,
    weight: Tensor,
    added: Tensor | None,
    negative_slope: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """All of ``winograd_backward``, in plain PyTorch."""
    before = grad if activated is None else activation_backward(grad, activated, negative_slope)
    joint = x if x2 is None else torch.cat([x, x2], 1)
    grad_x, grad_weight, grad_bias = convolution_backward(before, joint, weight, (True, True, True))
    return grad_x if added is None else grad_x + added, grad_weight, grad_bias  # type: ignore[operator, return-value]


def _setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    ctx.save_for_backward(*inputs[:6])
    ctx.slope, ctx.need_x, ctx.need_weight = inputs[6:9]
    ctx.options = len(inputs) - 6


def _second(ctx, along_x: Tensor, along_weight: Tensor, along_bias: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    wanted = slice(0 if ctx.need_x else 1, 3 if ctx.need_weight else 1)
    along = (along_x, along_weight, along_bias)[wanted]
    found = gradients(lambda *inputs: _plain_backward(*inputs)[wanted], (*ctx.saved_tensors, ctx.slope), along)
    return *found[:6], *(None for _ in range(ctx.options))


torch.library.register_autograd("lfdeblur::winograd_backward", _second, setup_context=_setup_context)
