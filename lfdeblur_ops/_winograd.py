"""``conv3x3`` and ``residual_block`` on the CPU by Winograd's F(4x4, 3x3), a quarter of the multiplications: float32.

The back end ``winograd``, which is taken by name only, and ``fast``, which takes it where there are pixels enough: the
argument ``algorithm`` of the ops (csrc/winograd.h). Gradients run by the same transforms: that of the input is a
convolution with the weights turned round, that of the weight sums the products of transformed tiles.
"""

from typing import Any

import torch
from torch import Tensor

from . import _load
from ._checks import autocast_dtype
from ._derivatives import gradients
from ._dispatch import BackendError, Impl, cpu_missing, select
from ._gradients import activation_backward, convolution_backward
from ._layouts import empty_output
from ._levels import transformed

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


def choose(
    op: str, backend: str, x: Tensor, weight: Tensor, x2: Tensor | None = None, stride: int = 1
) -> tuple[str, str]:
    """The back end that runs the call, and the argument ``algorithm`` of the op."""
    chosen = select(op, "auto" if backend == "fast" else backend, x.device, x.dtype)
    if chosen == "winograd":
        require(x, weight, x2, stride)
        return chosen, "winograd"
    # How many pixels there are is asked within the op: code that is compiled or exported serves every size.
    takes_part = backend == "fast" and chosen == "cpu" and unfit(x, weight, x2, stride) is None
    return chosen, "fast" if takes_part else "direct"


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


def backward(*arguments: Any) -> Any:
    """``winograd_backward``; its formula where a transform wants its derivative, which the operator has none of."""
    return _plain_backward(*arguments[:7]) if transformed() else torch.ops.lfdeblur.winograd_backward(*arguments)


def _setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    ctx.save_for_backward(*inputs[:6])
    ctx.slope, ctx.need_x, ctx.need_weight = inputs[6:9]
    ctx.options = len(inputs) - 6


def _second(ctx, along_x: Tensor, along_weight: Tensor, along_bias: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    wanted = slice(0 if ctx.need_x else 1, 3 if ctx.need_weight else 1)
    along = (along_x, along_weight, along_bias)[wanted]
    found = gradients(lambda *inputs: _plain_backward(*inputs)[wanted], (*ctx.saved_tensors, ctx.slope), along)
    return *found[:6], *(None for _ in range(ctx.options))


if _load.extension is not None:

    @torch.library.register_fake("lfdeblur::winograd_weight")
    def _(weight: Tensor, flipped: bool) -> Tensor:
        outputs, inputs = weight.shape[:2] if not flipped else weight.shape[1::-1]
        return weight.new_empty((36, outputs // MULTIPLE, inputs, MULTIPLE))

    @torch.library.register_fake("lfdeblur::winograd_conv3x3")
    def _(
        above: Tensor | None,
        x: Tensor,
        x2_above: Tensor | None,
        x2: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        residual_above: Tensor | None,
        residual: Tensor | None,
        pad_top: int,
        pad_bottom: int,
        negative_slope: float,
        activated: Tensor | None = None,
        activated_slope: float = 1.0,
    ) -> Tensor:
        n, _, height, width = x.shape
        rows = height + (0 if above is None else above.shape[2]) - 2 + pad_top + pad_bottom
        return empty_output(x, (n, MULTIPLE * weight.shape[1], rows, width), torch.channels_last)

    @torch.library.register_fake("lfdeblur::winograd_weight_gradient")
    def _(
        grad: Tensor, activated: Tensor | None, x: Tensor, x2: Tensor | None, negative_slope: float
    ) -> tuple[Tensor, Tensor]:
        inputs = x.shape[1] + (0 if x2 is None else x2.shape[1])
        return grad.new_empty((grad.shape[1], inputs, 3, 3)), grad.new_empty((grad.shape[1],))

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
        algorithm: str = "winograd",
    ) -> tuple[Tensor, Tensor, Tensor]:
        n, _, h, w = x.shape
        shape = (n, weight.shape[1], h, w)
        grad_x = empty_output(x, shape, torch.channels_last) if need_x else x.new_empty(0)
        if not need_weight:
            return grad_x, x.new_empty(0), x.new_empty(0)
        return grad_x, x.new_empty(weight.shape), x.new_empty(weight.shape[:1])

    torch.library.register_autograd("lfdeblur::winograd_backward", _second, setup_context=_setup_context)
