"""What ``torch.utils.flop_counter`` counts of the ops: multiplications and additions of the formula.

A convolution is counted as one whichever transforms it runs by; biases, activations and sums are not, nor is what a
fused backward pass computes anew.
"""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from math import prod
from types import ModuleType
from typing import Any

import torch

_COUNTER = "torch.utils.flop_counter"
_TAPS = {"nearest": 0, "bilinear": 4, "bicubic": 16}  # a nearest view is read, not multiplied
Shape = Sequence[int]


def _conv3x3(x: Shape, x2: Shape | None, weight: Shape, *_: Any, out_shape: Shape, **__: Any) -> int:
    return 2 * prod(weight) * out_shape[0] * prod(out_shape[2:])


def _conv_transpose4x4(x: Shape, weight: Shape, *_: Any, **__: Any) -> int:
    return 2 * prod(weight) * x[0] * prod(x[2:])


def _convolution(
    x: Shape, weight: Shape, bias: Any, residual: Any, stride: int, pad_rows: int, transposed: bool, *_: Any, **kw: Any
) -> int:
    return _conv_transpose4x4(x, weight) if transposed else _conv3x3(x, None, weight, out_shape=kw["out_shape"])


def _residual_block(x: Shape, weight1: Shape, *_: Any, **__: Any) -> int:
    return 4 * prod(weight1) * x[0] * prod(x[2:])


def _dynamic_filter(x: Shape, filters: Shape, kernel_size: Sequence[int], *_: Any, out_shape: Shape, **__: Any) -> int:
    return 2 * prod(out_shape) * prod(kernel_size)


def _dynamic_filter_backward(
    grad: Shape, x: Shape, filters: Shape, kernel_size: Sequence[int], *how: Any, **_: Any
) -> int:
    """``how``: six options and two needs, the last of which are left out where they are as the schema has them."""
    need_x, need_filters = (*how[6:], True, True)[:2]
    return 2 * prod(grad) * prod(kernel_size) * (need_x + need_filters)


def _dynamic_filter_separable(
    x: Shape, filters: Shape, kernel_size: Sequence[int], *_: Any, out_shape: Shape, **__: Any
) -> int:
    """A row's sum for each vertical tap, and the sum of these."""
    return 2 * prod(out_shape) * kernel_size[0] * (kernel_size[1] + 1)


def _dynamic_filter_separable_backward(
    grad: Shape,
    x: Shape,
    filters: Shape,
    kernel_size: Sequence[int],
    border: str = "replicate",
    dilation: Sequence[int] = (1, 1),
    need_x: bool = True,
    need_filters: bool = True,
    **_: Any,
) -> int:
    """Both kinds of taps have the sums of forward, of the other kind."""
    rows, columns = kernel_size
    each = rows * (columns + 1)
    return 2 * prod(grad) * (each * need_x + (each + columns * (rows + 1)) * need_filters)


def _samples(light_field: Shape, disparity: Shape) -> int:
    return prod(light_field) * disparity[1 if len(disparity) == 4 else 0]


def _sums(aperture: Shape, reduce: str) -> int:
    """What a sample is added to, or multiplied for."""
    return aperture[1 if len(aperture) == 6 else 0] * (2 if reduce == "moments" else 1)


def _refocus(
    light_field: Shape,
    disparity: Shape,
    aperture: Shape,
    interpolation: str,
    border: str,
    normalize: bool = False,
    cubic_coefficient: float = -0.5,
    reduce: str = "mean",
    **_: Any,
) -> int:
    return 2 * _samples(light_field, disparity) * (_TAPS[interpolation] + _sums(aperture, reduce))


def _refocus_backward(
    grad: Shape,
    out: Shape,
    light_field: Shape,
    disparity: Shape,
    aperture: Shape,
    interpolation: str,
    border: str,
    need_light_field: bool,
    need_disparity: bool,
    need_aperture: bool,
    normalize: bool = False,
    cubic_coefficient: float = -0.5,
    reduce: str = "mean",
    **_: Any,
) -> int:
    """Every gradient weighs the samples, or what they are made of; the disparity's has two slopes of each tap."""
    taps, apertures = _TAPS[interpolation], _sums(aperture, reduce)
    each = (taps + apertures) * (need_light_field + need_aperture)
    each += (2 * taps + apertures) * (need_disparity and taps > 0)
    return 2 * _samples(light_field, disparity) * each


def _head_parts(kernel_features: Shape, residual_features: Shape, channels: int, kernel_size: int) -> tuple[int, ...]:
    """Of the predicted filters, the predicted residual and the filtering."""
    pixels, taps = 2 * kernel_features[0] * prod(kernel_features[2:]), kernel_size**2
    return pixels * kernel_features[1] * taps, pixels * residual_features[1] * channels, pixels * channels * taps


def _drb_head(
    kernel_features: Shape,
    kernel_weight: Shape,
    kernel_bias: Any,
    residual_features: Shape,
    residual_weight: Shape,
    residual_bias: Any,
    image: Shape,
    kernel_size: int,
    *_: Any,
    **__: Any,
) -> int:
    return sum(_head_parts(kernel_features, residual_features, image[1], kernel_size))


def _drb_head_rows(*inputs: Any, **_: Any) -> int:
    image, kernel_size = inputs[6], inputs[8]
    return sum(_head_parts(inputs[0], inputs[3], image[1], kernel_size))


def _drb_head_backward(grad: Shape, *inputs: Any, **_: Any) -> int:
    image, kernel_size = inputs[6], inputs[7]
    need_kernel, need_residual, need_image = inputs[-3:]
    predicted, residual, filtering = _head_parts(inputs[0], inputs[3], image[1], kernel_size)
    return (filtering + 2 * predicted) * need_kernel + 2 * residual * need_residual + filtering * need_image


def _winograd_conv3x3(above: Any, x: Shape, x2_above: Any, x2: Any, weight: Shape, *_: Any, **kwargs: Any) -> int:
    blocks, inputs, lanes = weight[1:]
    out = kwargs["out_shape"]
    return 2 * 9 * inputs * blocks * lanes * out[0] * prod(out[2:])


def _winograd_weight_gradient(grad: Shape, *_: Any, out_shape: tuple[Shape, ...], **__: Any) -> int:
    return 2 * prod(out_shape[0]) * grad[0] * prod(grad[2:])


def _winograd_backward(
    grad: Shape,
    activated: Any,
    x: Shape,
    x2: Any,
    weight: Shape,
    added: Any,
    negative_slope: float,
    need_x: bool,
    need_weight: bool,
    *_: Any,
    **__: Any,
) -> int:
    return 2 * prod(weight) * grad[0] * prod(grad[2:]) * (need_x + need_weight)


_FORMULAS: dict[str, Callable[..., int]] = {
    "conv3x3": _conv3x3,
    "conv_transpose4x4": _conv_transpose4x4,
    "convolution": _convolution,
    "drb_head": _drb_head,
    "drb_head_backward": _drb_head_backward,
    "drb_head_rows": _drb_head_rows,
    "dynamic_filter": _dynamic_filter,
    "dynamic_filter_backward": _dynamic_filter_backward,
    "dynamic_filter_separable": _dynamic_filter_separable,
    "dynamic_filter_separable_backward": _dynamic_filter_separable_backward,
    "refocus": _refocus,
    "refocus_backward": _refocus_backward,
    "residual_block": _residual_block,
    "winograd_backward": _winograd_backward,
    "winograd_conv3x3": _winograd_conv3x3,
    "winograd_weight_gradient": _winograd_weight_gradient,
}


def _register(counter: ModuleType) -> None:
    for name, formula in _FORMULAS.items():
        if hasattr(torch.ops.lfdeblur, name):  # some are the extension's
            counter.register_flop_formula(getattr(torch.ops.lfdeblur, name))(formula)


class _WhenImported(MetaPathFinder):
    """Importing the counter takes a quarter of a second, for Triton, and warns without it: not before it is wanted."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != _COUNTER:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_register(module: ModuleType) -> None:
                run(module)
                _register(module)

            spec.loader.exec_module = run_and_register  # type: ignore[method-assign]
        return spec


def count_flops() -> None:
    """Have the counter know the ops, now or when it is imported."""
    if _COUNTER in sys.modules:
        _register(sys.modules[_COUNTER])
    else:
        sys.meta_path.insert(0, _WhenImported())
