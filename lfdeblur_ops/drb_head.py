"""``drb_head``: the end of DRBNet's dynamic residual block in one pass; its per-pixel filters never reach memory."""

from collections.abc import Sequence

import torch
from torch import Tensor

from . import _composed, reference
from ._checks import FLOATS, autocast, autocast_dtype, check_image, check_like, check_slope, checked_kernel_size
from ._derivatives import gradients, register_second
from ._dispatch import Impl, cpu_missing, define, register, select, triton_missing
from ._levels import overridable, transformed

# What the arguments are: csrc/drb_head.cpp.
_ARGUMENTS = (
    "Tensor kernel_features, Tensor kernel_weight, Tensor? kernel_bias, Tensor residual_features, "
    "Tensor residual_weight, Tensor? residual_bias, Tensor image, int kernel_size, float negative_slope, float? low, "
    "float? high"
)
define(f"drb_head({_ARGUMENTS}) -> Tensor")
define(
    f"drb_head_backward(Tensor grad, {_ARGUMENTS}, bool need_kernel, bool need_residual, bool need_image) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)


@overridable
def drb_head(
    kernel_features: Tensor,
    kernel_weight: Tensor,
    kernel_bias: Tensor | None,
    residual_features: Tensor,
    residual_weight: Tensor,
    residual_bias: Tensor | None,
    image: Tensor,
    kernel_size: int | Sequence[int],
    negative_slope: float = 0.1,
    *,
    clip: tuple[float, float] | None = None,
    backend: str = "auto",
) -> Tensor:
    """Restore an image with predicted per-pixel kernels and a predicted residual.

    ``clip(image + dynamic_filter(image, conv1x1(kernel_features)) + leaky_relu(conv1x1(residual_features)))``: the last
    three layers of the dynamic residual block of DRBNet (Ruan et al., CVPR 2022). The filters, ``k*k`` numbers a pixel,
    are computed where they are used, in the backward pass once more, and never written to memory.

    Args:
        kernel_features: ``[N, F, H, W]`` float64, float32, float16 or bfloat16; any strides, fastest channels-last,
            also as a slice of a wider channels-last tensor.
        kernel_weight: ``[k*k, F, 1, 1]`` or ``[k*k, F]``; row ``i*k + j`` predicts the weight of the pixel
            ``(i - k//2, j - k//2)`` away. All tensors but ``image`` have the dtype of ``kernel_features``, all its
            device.
        kernel_bias: ``[k*k]`` or None.
        residual_features: ``[N, R, H, W]``, as ``kernel_features``.
        residual_weight: ``[C, R, 1, 1]`` or ``[C, R]``.
        residual_bias: ``[C]`` or None.
        image: ``[N, C, H, W]``, any range; dtype of the features, or float32 beside narrower ones. The border is
            replicated.
        kernel_size: ``k`` in pixels: odd, 1 to 15; ``(k, k)`` says the same.
        negative_slope: of the residual's LeakyReLU, from 0 to 1.
        clip: lowest and highest value of the result; None: not clipped.
        backend: ``auto``, or ``triton | cpu | reference``; a forced one never falls back.

    Returns:
        ``[N, C, H, W]``, contiguous, dtype of ``image``; summed in float32 (float64 for float64). Differentiable in
        all tensors, deterministic on the CPU. Under autocast features, weights and biases are cast to the autocast
        dtype; the image is not.

    Raises:
        RuntimeError: shapes or devices disagree.
        TypeError: not tensors, or dtypes that differ or are not floating point.
        ValueError: a bad ``kernel_size``, ``negative_slope``, ``clip`` or ``backend``.
        BackendError: the back end cannot run the call; it says why.
    """
    if autocast_dtype(image) is not None:
        kernel_features, kernel_weight, kernel_bias, residual_features, residual_weight, residual_bias = autocast(  # type: ignore[assignment]
            kernel_features, kernel_weight, kernel_bias, residual_features, residual_weight, residual_bias
        )
    kernel_size = checked_kernel_size(kernel_size)
    low, high = _check_options(negative_slope, clip)
    check_image("kernel_features", kernel_features)
    check_image("image", image)
    features, taps = kernel_features.shape[1], kernel_size * kernel_size
    n, c, h, w = image.shape
    if image.dtype not in (kernel_features.dtype, torch.float32) or (
        kernel_features.dtype == torch.float64 and image.dtype == torch.float32
    ):
        raise TypeError(
            f"image: got dtype {image.dtype}, want that of kernel_features, {kernel_features.dtype}"
            + (", or float32" if kernel_features.dtype in FLOATS[2:] else "")
        )
    if image.device != kernel_features.device:
        raise RuntimeError(f"image: got device {image.device}, want that of kernel_features, {kernel_features.device}")
    rest = {"x": kernel_features, "x_name": "kernel_features"}
    check_like("kernel_features", kernel_features, (n, None, h, w), **rest)  # type: ignore[arg-type]
    kernel_weight = _flat("kernel_weight", kernel_weight)
    check_like("kernel_weight", kernel_weight, (taps, features), **rest)  # type: ignore[arg-type]
    check_like("kernel_bias", kernel_bias, (taps,), **rest)  # type: ignore[arg-type]
    if residual_features is None:
        raise TypeError("residual_features: got None, want a tensor")
    check_like("residual_features", residual_features, (n, None, h, w), **rest)  # type: ignore[arg-type]
    residual_weight = _flat("residual_weight", residual_weight)
    check_like("residual_weight", residual_weight, (c, residual_features.shape[1]), **rest)  # type: ignore[arg-type]
    check_like("residual_bias", residual_bias, (c,), **rest)  # type: ignore[arg-type]
    chosen = select("drb_head", backend, image.device, kernel_features.dtype)
    others = {"reference": reference.drb_head, "composed": _composed.drb_head}
    run = others.get(chosen, torch.ops.lfdeblur.drb_head)
    return run(
        kernel_features,
        kernel_weight,
        kernel_bias,
        residual_features,
        residual_weight,
        residual_bias,
        image,
        kernel_size,
        float(negative_slope),
        low,
        high,
    )


def _check_options(negative_slope: float, clip: tuple[float, float] | None) -> tuple[float | None, float | None]:
    check_slope(negative_slope)
    if clip is None:
        return None, None
    bounds = isinstance(clip, (tuple, list)) and all(isinstance(bound, (int, float)) for bound in clip)
    if not bounds or len(clip) != 2 or not clip[0] <= clip[1]:
        raise ValueError(f"clip: got {clip!r}, want None or (low, high) with low <= high")
    return float(clip[0]), float(clip[1])


def _flat(name: str, weight: Tensor) -> Tensor:
    """Matrix of a 1x1 convolution's weight."""
    if not isinstance(weight, Tensor):
        raise TypeError(f"{name}: got {type(weight).__name__}, want a tensor")
    return weight.flatten(1) if weight.dim() == 4 and weight.shape[2:] == (1, 1) else weight


@torch.library.register_fake("lfdeblur::drb_head")
def _(kernel_features, kernel_weight, kernel_bias, residual_features, residual_weight, residual_bias, image, *options):  # type: ignore[no-untyped-def]
    return image.new_empty(image.shape)


@torch.library.register_fake("lfdeblur::drb_head_backward")
def _(  # type: ignore[no-untyped-def]
    grad,
    kernel_features,
    kernel_weight,
    kernel_bias,
    residual_features,
    residual_weight,
    residual_bias,
    image,
    kernel_size,
    negative_slope,
    low,
    high,
    need_kernel,
    need_residual,
    need_image,
):
    def group(features: Tensor, weight: Tensor, need: bool) -> tuple[Tensor, ...]:
        if not need:
            return tuple(features.new_empty((0,)) for _ in range(3))
        grad_features = features.new_empty(features.shape).to(memory_format=torch.channels_last)
        return grad_features, weight.new_empty(weight.shape), weight.new_empty(weight.shape[:1])

    return (
        *group(kernel_features, kernel_weight, need_kernel),
        *group(residual_features, residual_weight, need_residual),
        image.new_empty(image.shape if need_image else (0,)),
    )


def _setup_context(ctx, inputs, output: Tensor) -> None:  # type: ignore[no-untyped-def]
    *tensors, ctx.kernel_size, ctx.slope, ctx.low, ctx.high = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    need = ctx.needs_input_grad[:7]
    options = (ctx.kernel_size, ctx.slope, ctx.low, ctx.high)
    if transformed():  # the kernels have no derivative of their own
        found = gradients(_composed.drb_head, (*ctx.saved_tensors, *options), grad)
        return *(g if wanted else None for g, wanted in zip(found, need, strict=False)), None, None, None, None
    groups = (any(need[:3]), any(need[3:6]), need[6])
    grads = torch.ops.lfdeblur.drb_head_backward(grad, *ctx.saved_tensors, *options, *groups)
    return *(g if wanted else None for g, wanted in zip(grads, need, strict=True)), None, None, None, None


def _triton_unfit(dtype: torch.dtype) -> str | None:
    return "no kernel for float64" if dtype == torch.float64 else None


torch.library.register_autograd("lfdeblur::drb_head", _backward, setup_context=_setup_context)
register_second("drb_head_backward", _composed.drb_head, tensors=7, needs=3)
register(
    "drb_head",
    {"triton": Impl("cuda", triton_missing, _triton_unfit), "cpu": Impl("cpu", cpu_missing)},
    composed=True,
)
