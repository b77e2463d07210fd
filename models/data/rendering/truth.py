"""The all-in-focus truth of a scene: its centre view, or all views brought into focus by the disparity map."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..light_field import LightField
from ..transfer import quantise, to_linear
from .exposure import Window, cut, enlarge, part_of, refocus_light

TRUTHS = ("center", "refocus")


def center_light(light_field: LightField, window: Window | None = None, *, scale: int = 1) -> Tensor:
    """The centre view in linear light, ``[C, H, W]`` float32, or a window of it.

    Raises:
        LightFieldError: the light field has no centre view.
    """
    window = window or Window(0, 0, *light_field.size)
    center = light_field.center[None, None]
    top, left = max(0, window.top - 2), max(0, window.left - 2)  # what bicubic enlarging reads beside the window
    part = center[..., top : window.top + window.height + 2, left : window.left + window.width + 2]
    light = to_linear(part.contiguous(), light_field.transfer).float()
    inner = window._replace(top=window.top - top, left=window.left - left)
    return cut(light if scale == 1 else enlarge(light, scale), inner, scale)[0, 0]


def all_in_focus_light(
    light_field: LightField,
    disparity: Tensor,
    window: Window | None = None,
    *,
    scale: int = 1,
    interpolation: str = "bicubic",
    backend: str = "auto",
) -> Tensor:
    """All views averaged where each sees the point that the centre view sees: as sharp as they, with less noise.

    Behind outlines some views see the nearer thing instead: there the average is not the truth, which
    ``difference_of_truths`` shows.

    Args:
        light_field: of any transfer function; its ``weights`` count.
        disparity: ``[H, W]`` of the centre view, pixels per view step.
        window: the part wanted; None: all.
        scale: as in ``refocus_light``.
        interpolation, backend: as ``lfdeblur_ops.refocus`` takes them; bilinear would blur.

    Returns: ``[C, H, W]`` float32 linear light; bicubic may leave [0, 1] a little.
    """
    window = window or Window(0, 0, *light_field.size)
    rows, columns = light_field.grid
    device = light_field.views.device
    weights = torch.ones(rows, columns, device=device) if light_field.weights is None else light_field.weights
    reach = float(disparity.abs().max())
    seen, used, inner = part_of(light_field, weights[None].to(device), reach, window)
    outer = window._replace(top=window.top - inner.top, left=window.left - inner.left)
    depth = cut(disparity, outer._replace(height=seen.size[0], width=seen.size[1])).to(device, torch.float32)
    depth = enlarge_map(depth, scale)
    light = refocus_light(seen, depth, used[0], scale=scale, interpolation=interpolation, backend=backend)
    return cut(light, inner, scale)


def enlarge_map(disparity: Tensor, scale: int) -> Tensor:
    """A map ``[H, W]`` with ``scale`` times the pixels; outlines stay sharp. Values are kept."""
    if scale == 1:
        return disparity
    return F.interpolate(disparity[None, None], scale_factor=scale, mode="nearest")[0, 0]


def difference_of_truths(center: Tensor, refocused: Tensor) -> float:
    """PSNR in dB between two truths in linear light, both encoded for display at 16 bits; infinite where equal."""
    # In whole numbers, which add up to the same whatever the number of threads.
    first, second = (quantise(truth, 16).astype(np.int64) for truth in (center, refocused))
    squares = int(((first - second) ** 2).sum())
    return 10 * math.log10(65535**2 * first.size / squares) if squares else math.inf
