"""The disparity range of a scene whose files do not tell it, from a coarse focal stack."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

import lfdeblur_ops

from ..light_field import LightField, LightFieldError, check_light_field

SPREADS = (8.0, 16.0, 32.0, 64.0)  # pixels per view step either way: the first that holds the scene
CANDIDATES = 65
PLANES_AT_ONCE = 16
WINDOW = 9  # pixels over which a focus is judged
TEXTURED = 0.8  # quantile of the gradient from which a pixel says something about depth
TAILS = 0.005  # share of the textured pixels left out at either end
CROWD = 0.03  # share of the votes at the ends of a spread from which the scene is taken to go on beyond


def estimate_disparity_range(
    light_field: LightField, *, backend: str = "auto", between: Callable[[], None] = lambda: None
) -> tuple[float, float]:
    """Lowest and highest disparity of the scene's textured parts, pixels per view step.

    Where a plane is in focus, the refocused picture agrees with the centre view. So each textured pixel of the centre
    view votes for the candidate (-8 to 8 in steps of 0.25) at which the two differ least around it, and the range spans
    all votes but the outermost 0.5 % at either end. Where the votes crowd at the ends, candidates go twice as far in
    steps twice as wide, up to 64.

    Args:
        light_field: with a centre view (see ``LightField.with_center``).
        backend: as ``lfdeblur_ops.refocus`` takes it.
        between: called between parts of the work; what it raises ends it.

    Raises:
        LightFieldError: a single view, or one whose weight is not 0, or nothing but flat areas: there is no disparity
            to see; or views that are not finite.
    """
    check_parallax(light_field)
    rows, columns = light_field.grid
    views = grey_views(light_field)
    r, c = rows // 2, columns // 2
    center = lfdeblur_ops.refocus(views[r : r + 1, c : c + 1], 0.0).float()
    across, down = center.diff(dim=-1).abs(), center.diff(dim=-2).abs()
    texture = _blur(F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1)))[0]
    textured = texture >= texture.flatten().kthvalue(max(1, int(texture.numel() * TEXTURED))).values
    textured &= texture > 1e-3
    if not textured.any():
        raise LightFieldError(
            f"{light_field.scene}: nothing but flat areas, no disparity to see; give the focus planes or the limits"
        )
    weights = None if light_field.weights is None else light_field.weights.float()
    for spread in SPREADS:
        candidates = torch.linspace(-spread, spread, CANDIDATES)
        votes = _votes(views, center, candidates, weights, backend, between)[textured].sort().values
        if (votes.abs() > spread - 1.5 * float(candidates[1] - candidates[0])).float().mean() < CROWD:
            break
    tail = int(len(votes) * TAILS)
    return votes[tail].item(), votes[len(votes) - 1 - tail].item()


def check_parallax(light_field: LightField) -> None:
    """Raise LightFieldError where there is nothing to compare: a single view that counts, or values not finite."""
    check_light_field(light_field)
    scene, (rows, columns) = light_field.scene, light_field.grid
    if rows * columns == 1:
        raise LightFieldError(
            f"{scene}: a single view has no disparity; give the focus planes (of an even number of rows or columns of "
            "views one is left out: 2x2 are a single view)"
        )
    weights = light_field.weights
    if weights is not None:
        if not bool((weights >= 0).all() and torch.isfinite(weights).all()):
            raise LightFieldError(f"{scene}: weights: got negative or not finite ones, want weights from 0 to 1")
        others = weights.clone()
        others[rows // 2, columns // 2] = 0
        if not bool((others > 0).any()):
            raise LightFieldError(f"{scene}: weights: no view but the centre one counts, which has no disparity")
    views = light_field.views
    if views.is_floating_point() and not all(math.isfinite(end) for row in views for end in row.aminmax()):
        raise LightFieldError(f"{scene}: views: some values are NaN or infinite, want finite ones")


def widened(low: float, high: float) -> tuple[float, float]:
    """An estimated range with room for what has too little texture to have a vote: floors and walls go on."""
    more = 0.3 + (high - low) / 16
    return low - more, high + more


def _votes(
    views: Tensor,
    center: Tensor,
    candidates: Tensor,
    weights: Tensor | None,
    backend: str,
    between: Callable[[], None],
) -> Tensor:
    """``[H, W]``: the candidate at which the refocused picture differs least from the centre view around a pixel."""
    best = torch.full_like(center[0], float("inf"))
    vote = torch.zeros_like(best)
    for planes in candidates.split(PLANES_AT_ONCE):
        between()
        stack = lfdeblur_ops.refocus(views, planes, aperture=weights, backend=backend)[:, 0]
        least, index = _blur((stack.float() - center).abs()).min(0)
        better = least < best
        best, vote = torch.where(better, least, best), torch.where(better, planes.to(index.device)[index], vote)
    return vote


def grey_views(light_field: LightField) -> Tensor:
    """``[V, U, 1, H, W]``: one channel to match views by: grey, or green (no copy), as encoded."""
    return light_field.views[:, :, light_field.views.shape[2] // 2][:, :, None]


def _blur(pictures: Tensor) -> Tensor:
    """Mean over a square window, ``[N, H, W]``; at the border over the part inside."""
    return F.avg_pool2d(pictures[:, None], WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)[:, 0]
