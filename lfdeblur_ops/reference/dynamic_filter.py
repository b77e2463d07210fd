"""Reference of ``lfdeblur_ops.dynamic_filter``: one multiply-add of the picture per tap, no unfolded tensor."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .._filter_forms import EPSILON, Options, apart
from ._empty import empty_result

_PADDING = {"replicate": "replicate", "zeros": "constant", "reflect": "reflect", "circular": "circular"}


def normalized(filters: Tensor, normalize: str) -> Tensor:
    """``filters [N, G, T, S, H, W]`` with taps that add up to one."""
    if normalize == "softmax":
        return filters.softmax(2)
    return filters / (filters.sum(2, keepdim=True) + EPSILON) if normalize == "sum" else filters


def dynamic_filter(x: Tensor, filters: Tensor, kernel_size: Any, *rest: Any) -> Tensor:
    """``out[c, y, x] = sum_ij filters[(c*k + i)*k + j, y, x] * x[c, y + i - k//2, x + j - k//2]``.

    Arguments, after the tensors, as in ``torch.ops.lfdeblur.dynamic_filter``: kernel_size, border, dilation, stride,
    scale, normalize, interleaved. The sum is kept in float32 (float64 for float64).
    """
    options = Options.of(kernel_size, *rest)
    shape = options.output(x.shape)
    if x.numel() == 0 or filters.numel() == 0:
        return empty_result(shape, x, filters)
    acc = torch.float64 if x.dtype == torch.float64 else torch.float32
    taps = normalized(apart(x, filters, options).to(acc), options.normalize)
    groups, per_position = taps.shape[1], taps.shape[3]
    picture = padded(x.to(acc), options)
    split = (-1, groups) if options.interleaved else (groups, -1)
    picture = picture.unflatten(1, split)  # in groups, of any size
    axis = 1 if options.interleaved else 2  # that of the channels that share filters
    repeat = options.scale if per_position == 1 else 1
    out: Any = 0
    for tap in range(options.taps):
        seen = shifted(picture, divmod(tap, options.kernel_size[1]), options)
        if repeat > 1:
            seen = seen.repeat_interleave(repeat, -2).repeat_interleave(repeat, -1)
        weights = taps[:, :, tap].unsqueeze(axis)  # [N, G, 1, S, H, W], or [N, 1, G, S, H, W]
        out = out + (weights * seen.unsqueeze(3) if per_position > 1 else weights[:, :, :, 0] * seen)
    if per_position > 1:  # [..., S, H, W], whose S are rows and columns
        out = F.pixel_shuffle(out, options.scale).squeeze(-3)
    return out.reshape(shape).to(x.dtype)


def padded(picture: Tensor, options: Options) -> Tensor:
    """The picture with its border."""
    top, side = (reach // 2 for reach in options.reach)
    if options.border == "valid" or top == side == 0:
        return picture
    return F.pad(picture, (side, side, top, top), mode=_PADDING[options.border])


def shifted(picture: Tensor, tap: tuple[int, int], options: Options) -> Tensor:
    """What a tap sees of the picture with its border: every ``stride``-th row and column."""
    for axis, place, dilation, stride, reach in zip(
        (-2, -1), tap, options.dilation, options.stride, options.reach, strict=True
    ):
        first = place * dilation
        picture = picture.narrow(axis, first, picture.shape[axis] - reach)
        if stride > 1:
            picture = picture[..., ::stride, :] if axis == -2 else picture[..., ::stride]
    return picture
