"""The disparity of every pixel of the centre view, from a focal stack."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

import lfdeblur_ops

from ..light_field import LightField, LightFieldError
from .disparity_range import estimate_disparity_range, grey_views

STEP = 0.2  # pixels per view step between the planes of the stack
MAX_PLANES = 129
PLANES_AT_ONCE = 8
WINDOW = 3  # pixels over which a match is judged
MEDIAN = 9  # pixels over which stray matches are voted down


def disparity_of(
    light_field: LightField, *, backend: str = "auto", between: Callable[[], None] = lambda: None
) -> Tensor:
    """``[H, W]`` float32 disparity of the centre view: the true one with its gaps filled, else the estimated one.

    Arguments and errors as ``estimate_disparity_map``.
    """
    true = light_field.disparity
    if true is not None and bool(torch.isfinite(true).all()):
        return true
    estimated = estimate_disparity_map(light_field, backend=backend, between=between)
    return estimated if true is None else torch.where(torch.isfinite(true), true.to(estimated), estimated)


def estimate_disparity_map(
    light_field: LightField,
    limits: tuple[float, float] | None = None,
    *,
    backend: str = "auto",
    between: Callable[[], None] = lambda: None,
) -> Tensor:
    """Disparity of the centre view, on the device of the views.

    At the right plane the views agree with the centre view, save where something nearer hides the point from them. At
    a straight or right-angled outline one side sees past it, so the picture is focused through the four halves and the
    four quarters of the aperture and the best of the eight counts (after Kang, Szeliski and Chai, CVPR 2001). The plane
    of least difference is refined by a parabola through its neighbours; a median removes stray matches.

    Args:
        light_field: with a centre view.
        limits: lowest and highest disparity looked for, pixels per view step; None: those of the light field, else
            those of ``estimate_disparity_range``.
        backend: as ``lfdeblur_ops.refocus`` takes it.
        between: called between parts of the work; what it raises ends it.

    Returns: ``[H, W]`` float32, pixels per view step.

    Raises:
        LightFieldError: a single view, no centre view, or nothing but flat areas and no ``limits``.
    """
    rows, columns = light_field.grid
    if rows * columns == 1:
        raise LightFieldError(f"{light_field.scene}: a single view has no disparity")
    known = limits or light_field.disparity_range
    low, high = known or estimate_disparity_range(light_field, backend=backend, between=between)
    views = grey_views(light_field)
    center = lfdeblur_ops.refocus(light_field_center(views, light_field), 0.0).float()
    count = min(MAX_PLANES, max(3, math.ceil((high - low) / STEP) + 3))
    step = max((high - low) / max(count - 3, 1), 1e-3)
    planes = (low - step) + step * torch.arange(count, dtype=torch.float32, device=views.device)  # one more either side
    apertures = _sides(light_field)
    best = torch.full_like(center[0], float("inf"))
    index = torch.zeros_like(best, dtype=torch.long)
    before, after, last = best.clone(), best.clone(), best
    for start in range(0, count, PLANES_AT_ONCE):
        between()
        chunk = planes[start : start + PLANES_AT_ONCE]
        stack = lfdeblur_ops.refocus(views, chunk, aperture=apertures, backend=backend)[:, :, 0]  # [A, D, H, W]
        difference = _mean((stack.float() - center).abs_()).amin(0)
        for k, now in enumerate(difference, start):
            after = torch.where(index == k - 1, now, after)
            better = now < best
            before = torch.where(better, last, before)
            best, index = torch.where(better, now, best), torch.where(better, k, index)
            last = now
    inside = (index > 0) & (index < count - 1)
    curvature = (before - 2 * best + after).clamp_min(1e-9)
    shift = torch.where(inside, (before - after) / (2 * curvature), torch.zeros_like(best)).clamp(-0.5, 0.5)
    return _median(planes[index] + step * shift).clamp(low, high)


def light_field_center(views: Tensor, light_field: LightField) -> Tensor:
    """``[1, 1, C, H, W]`` of views. Raises LightFieldError where there is no centre view."""
    rows, columns = light_field.grid
    if rows % 2 == 0 or columns % 2 == 0:
        raise LightFieldError(f"{light_field.scene}: a grid of {rows}x{columns} views has no centre view")
    return views[rows // 2 : rows // 2 + 1, columns // 2 : columns // 2 + 1]


def _sides(light_field: LightField) -> Tensor:
    """``[A, V, U]``: halves and quarters of the whole aperture, each with its border row or column; times weights."""
    rows, columns = light_field.grid
    v = (torch.arange(rows) - rows // 2)[:, None].expand(rows, columns)
    u = (torch.arange(columns) - columns // 2).expand(rows, columns)
    halves = [u <= 0, u >= 0, v <= 0, v >= 0]
    quarters = [a & b for a in halves[:2] for b in halves[2:]]
    sides = torch.stack(halves + quarters).float().to(light_field.views.device)
    if light_field.weights is not None:
        sides = sides * light_field.weights.to(sides.device)
    return sides[sides.flatten(1).sum(1) > 0]


def _mean(pictures: Tensor) -> Tensor:
    """Mean over a square window, ``[A, D, H, W]``; at the border over the part inside."""
    return F.avg_pool2d(pictures, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)


def _median(picture: Tensor) -> Tensor:
    """Median over a square window, ``[H, W]``, some rows at a time to save memory."""
    padded = F.pad(picture[None, None], (MEDIAN // 2,) * 4, mode="replicate")[0, 0]
    windows = padded.unfold(0, MEDIAN, 1).unfold(1, MEDIAN, 1)
    return torch.cat([part.flatten(2).median(-1).values for part in windows.split(64)])
