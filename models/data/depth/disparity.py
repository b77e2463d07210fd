"""The disparity of every pixel of the centre view."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import lfdeblur_ops

from ..arguments import disparity_limits
from ..light_field import LightField, LightFieldError, check_light_field
from ..rendering.sides import sides_of
from ..transfer import linear_to_srgb
from .disparity_range import check_parallax, estimate_disparity_range, widened
from .refinement import refine
from .search import View, search

REACH = 0.4  # pixels between neighbouring planes, in the outermost views
MAX_PLANES = 193
FEWEST = 9  # planes either way of the middle
COSTS_AT_ONCE = 2**27  # pixels times planes; a taller picture is searched in bands of rows
ENOUGH = 11  # rows or columns of views: of more, planes are looked for in every other one
MARGIN = 32  # rows that a band sees beyond its own


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Disparity:
    """How far away everything is.

    Attributes:
        disparity: ``[H, W]`` float32 of the centre view, pixels per view step, positive = nearer.
        confidence: ``[H, W]`` float32, 0 to 1: how much better the match is than any other. 0 where a surface is flat
            or repeats, and its disparity is that of the neighbours.
        limits: lowest and highest disparity that was looked for.
    """

    disparity: Tensor
    confidence: Tensor
    limits: tuple[float, float]


def estimate_disparity(
    light_field: LightField,
    limits: tuple[float, float] | None = None,
    *,
    backend: str = "auto",
    between: Callable[[], None] = _nothing,
) -> Disparity:
    """Disparity of the centre view, on the device of the views.

    At the right plane the views agree with the centre view, save where something nearer hides the point from them.
    So the picture is focused on planes (``lfdeblur_ops.refocus``) through the quarters, the halves and the whole of the
    aperture, and around each pixel the side counts that differs least (after Kang, Szeliski and Chai, CVPR 2001).
    Differences are summed over neighbours of like colour (``lfdeblur_ops.dynamic_filter``), neighbours' planes are
    made to agree (semi-global matching, Hirschmueller, PAMI 2008), the result is refined to a part of a plane by a step
    of Gauss-Newton, and what is flat gets the disparity of what surrounds it (fast global smoother, Min et al., TIP
    2014).

    Args:
        light_field: with a centre view; any transfer function, its ``weights`` count.
        limits: lowest and highest disparity looked for, pixels per view step; None: those of the light field, else
            those of ``estimate_disparity_range``.
        backend: as ``lfdeblur_ops.refocus`` takes it.
        between: called between parts of the work; what it raises ends it.

    Raises:
        LightFieldError: a single view, or one whose weight is not 0; no centre view; views that are not finite; no
            parallax (all views are one picture), or nothing but flat areas, and no ``limits``; or these are not two
            finite numbers, the lower one first.
    """
    check_parallax(light_field)
    rows, columns = light_field.grid
    light_field.center  # noqa: B018 - its error, before any work
    low, high = _limits(light_field, limits, backend, between)
    view = _view(light_field)
    thin = _thinned(view)
    planes, spacing = _planes(low, high, (max(rows, columns) - 1) / 2)
    planes = planes.to(light_field.views.device)
    height, width = light_field.size
    band = max(4 * MARGIN, COSTS_AT_ONCE // (len(planes) * width) - 2 * MARGIN)
    margin = MARGIN + math.ceil(max(-low, high, 0) * (rows - 1) / 2)
    found = []
    for top in range(0, height, band):
        own = slice(top, min(top + band, height))
        seen = slice(max(0, own.start - margin), min(height, own.stop + margin))
        rough = search(thin.rows(seen), planes, backend=backend, between=between)
        between()
        disparity = refine(view.rows(seen), rough, spacing, backend=backend).clamp_(low, high)
        kept = slice(own.start - seen.start, own.stop - seen.start)
        found.append(torch.stack([disparity[kept], rough.confidence[kept]]))
    disparity, confidence = torch.cat(found, 1)
    return Disparity(disparity, confidence, (low, high))


def disparity_of(light_field: LightField, *, backend: str = "auto", between: Callable[[], None] = _nothing) -> Tensor:
    """``[H, W]`` float32 disparity of the centre view: the true one with its gaps filled, else the estimated one.

    Arguments and errors as ``estimate_disparity``.
    """
    check_light_field(light_field)
    true = None if light_field.disparity is None else light_field.disparity.float()
    if true is not None and bool(torch.isfinite(true).all()):
        return true
    estimated = estimate_disparity(light_field, backend=backend, between=between).disparity
    return estimated if true is None else torch.where(torch.isfinite(true), true.to(estimated), estimated)


def estimate_disparity_map(
    light_field: LightField,
    limits: tuple[float, float] | None = None,
    *,
    backend: str = "auto",
    between: Callable[[], None] = _nothing,
) -> Tensor:
    """``[H, W]``: the map alone of ``estimate_disparity``, which has the arguments and errors."""
    return estimate_disparity(light_field, limits, backend=backend, between=between).disparity


def _limits(
    light_field: LightField, limits: tuple[float, float] | None, backend: str, between: Callable[[], None]
) -> tuple[float, float]:
    if limits is not None:
        return disparity_limits("limits", limits)
    if light_field.disparity_range is not None:
        return light_field.disparity_range
    low, high = estimate_disparity_range(light_field, backend=backend, between=between)
    if low == high == 0:
        raise LightFieldError(f"{light_field.scene}: no parallax: every view shows the same picture")
    return widened(low, high)


def _planes(low: float, high: float, reach: float) -> tuple[Tensor, float]:
    """Planes from below ``low`` to above ``high``, and how far apart they are; enough for a match to have rivals."""
    usual = REACH / reach
    inside = min(MAX_PLANES, math.ceil((high - low) / usual) + 1)
    spacing = max((high - low) / max(inside - 1, 1), usual / 2)  # limits that are nearly one have planes all the same
    beyond = max(1, FEWEST - inside // 2)
    return low + spacing * torch.arange(-beyond, inside + beyond, dtype=torch.float32), spacing


def pixels_between_planes(light_field: LightField, limits: tuple[float, float]) -> float:
    """How far apart neighbouring planes are in the outermost views: above 1 what lies between them may be missed."""
    reach = (max(light_field.grid) - 1) / 2
    return _planes(*limits, reach)[1] * reach


def _view(light_field: LightField) -> View:
    views = light_field.views
    rows, columns = light_field.grid
    center = lfdeblur_ops.refocus(views[rows // 2, columns // 2][None, None], 0.0).float()  # in [0, 1]
    guide = linear_to_srgb(center.clamp(0, 1)) if light_field.transfer == "linear" else center
    # torch.quantile takes no more than 16 million values
    brightest = guide.flatten().kthvalue(max(1, int(0.99 * guide.numel()))).values.clamp_min(1e-3)
    weights = torch.ones(rows, columns) if light_field.weights is None else light_field.weights.float().cpu()
    contrast = sum(float(center.diff(dim=dim).abs().sum(0).mean()) for dim in (1, 2) if center.shape[dim] > 1)
    return View(views, center, guide / brightest, sides_of(weights.to(views.device)), max(contrast, 1e-4))


def _thinned(view: View) -> View:
    """Of many views every other row and column, the middle ones among them: they reach as far, and there are enough."""
    weights = view.sides.pieces.sum(0)
    for dim, length in enumerate(weights.shape):
        if length > ENOUGH:
            kept = (torch.arange(length, device=weights.device) - length // 2) % 2 == 0
            weights = weights * (kept[:, None] if dim == 0 else kept)
    return view._replace(sides=sides_of(weights))
