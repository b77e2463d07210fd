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
from .sides import Sides, sides_of

TRUTHS = ("center", "refocus")
AGREED = 1e-5  # squared difference of linear light that says nothing


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

    Behind outlines some views see the nearer thing instead. There the side of the aperture counts that agrees with the
    centre view (``sides_of``), so that outlines have no halos; a grid without a centre view has nothing to agree with,
    and all its views count.

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
    depth = enlarge_map(cut_out(disparity, outer).to(device, torch.float32), scale)
    centered = rows % 2 == columns % 2 == 1
    sides = sides_of(used[0]) if centered else None
    apertures = used if sides is None else sides.pieces
    light = refocus_light(seen, depth, apertures, scale=scale, interpolation=interpolation, backend=backend)
    whole = light[0] if sides is None else _agreeing(sides, light, center_light(seen, scale=scale))
    return cut_out(whole, window.pixels_from(outer), scale)


def _agreeing(sides: Sides, light: Tensor, center: Tensor) -> Tensor:
    """``[C, H, W]``: of the light through each piece of the aperture ``[P, C, H, W]`` the side that agrees with the
    centre view around each pixel; the more views a side has, the more it may differ, for it has less noise.

    Powers are written as products, which every part of the picture rounds alike.
    """
    lights = sides.of(light)
    if len(lights) == 1:
        return lights[0]
    misfits = F.avg_pool2d((lights - center).square_().sum(1), 3, 1, 1, count_include_pad=False)  # [S, H, W]
    pieces = (sides.shares > 0).sum(1)
    misfits *= (len(light) / pieces).square().to(misfits)[:, None, None]
    trust = misfits.add_(AGREED).square_().square_().reciprocal_()
    return (lights * trust[:, None]).sum(0) / trust.sum(0)


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
