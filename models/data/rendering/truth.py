"""The all-in-focus truth of a scene: its centre view, or all views brought into focus by the disparity map."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..lazy_views import Window
from ..light_field import LightField
from ..transfer import quantise, to_linear
from .exposure import cut_out, enlarge, needed_part, picture_window, refocus_light

TRUTHS = ("center", "refocus")


def center_light(light_field: LightField, window: Window | None = None, *, scale: int = 1) -> Tensor:
    """The centre view in linear light, ``[C, H, W]`` float32, or a window of it.

    Raises:
        LightFieldError: the light field has no centre view, or the window is no part of the picture.
    """
    window = picture_window(light_field, window)
    outer = window.widened(2, light_field.size)  # with what bicubic enlarging reads beside the window
    part = light_field.center[None, None, :, outer.y, outer.x]
    light = to_linear(part.contiguous(), light_field.transfer).float()
    return cut_out(light if scale == 1 else enlarge(light, scale), window.pixels_from(outer), scale)[0, 0]


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
    window = picture_window(light_field, window)
    rows, columns = light_field.grid
    device = light_field.views.device
    weights = torch.ones(rows, columns, device=device) if light_field.weights is None else light_field.weights
    reach = float(disparity.abs().max())
    seen, used, outer = needed_part(light_field, weights[None].to(device), reach, window)
    depth = cut_out(disparity, outer).to(device, torch.float32)
    depth = enlarge_map(depth, scale)
    light = refocus_light(seen, depth, used[0], scale=scale, interpolation=interpolation, backend=backend)
    return cut_out(light, window.pixels_from(outer), scale)


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
