"""Which plane each pixel of the centre view lies on: a sweep, judged past outlines, agreed with neighbours."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import lfdeblur_ops

from ..rendering.sides import Sides
from .edge_aware import EdgeAware
from .scanlines import agree

PLANES_AT_ONCE = 8
_ROWS = 8
WINDOW = 5  # pixels over which a match is judged
LIKENESS = 0.04  # difference of colours in that window, of the brightest ones
WHOLE = 1.1  # the whole aperture counts only where it is better than all sides by this: its minimum is flat
# Costs of neighbours' disagreement, in units of the picture's contrast.
SLOPE, JUMP, EDGE = 0.16, 3.2, 0.1
_FLAT = 0.08  # of the contrast: a difference that says nothing
_RIVAL = 4  # planes from the best one: beyond, a match as good is another one


class View(NamedTuple):
    """A light field as it is matched.

    Attributes:
        views: ``[V, U, C, H, W]``, any stored values.
        center: ``[C, H, W]`` float32, the centre view.
        guide: ``[C, H, W]`` float32: that with a brightest value of about 1, encoded for display.
        sides: of the views that count.
        contrast: mean of the centre view's gradient, summed over the channels.
    """

    views: Tensor
    center: Tensor
    guide: Tensor
    sides: Sides
    contrast: float

    def rows(self, part: slice) -> "View":
        """Some rows of the pictures."""
        return self._replace(views=self.views[..., part, :], center=self.center[:, part], guide=self.guide[:, part])


class Found(NamedTuple):
    """``[H, W]`` disparity, to a part of a plane, and confidence in it, 0 to 1."""

    disparity: Tensor
    confidence: Tensor


def search(view: View, planes: Tensor, *, backend: str, between: Callable[[], None]) -> Found:
    """Look through all planes.

    Args:
        planes: ``[D]``, evenly spaced, at least three.
    """
    costs = _costs(view, planes, backend, between)
    unit = view.contrast
    paths = agree(costs, view.guide, slope=SLOPE * unit, jump=JUMP * unit, likeness=EDGE, between=between)
    index = paths.argmin(2, keepdim=True)
    inner = index.clamp(1, len(planes) - 2)
    before, at, after = (paths.gather(2, inner + k)[..., 0] for k in (-1, 0, 1))
    bend = (before - 2 * at + after).clamp_min(1e-9)
    part = ((before - after) / (2 * bend)).clamp_(-0.5, 0.5)
    disparity = planes[inner[..., 0]] + (planes[1] - planes[0]) * part
    return Found(disparity, _confidence(costs, index, _FLAT * unit))


def _costs(view: View, planes: Tensor, backend: str, between: Callable[[], None]) -> Tensor:
    """``[H, W, D]``: how much the picture through the best side differs from the centre view around each pixel."""
    smooth = EdgeAware(view.guide, WINDOW, LIKENESS)
    height, width = view.center.shape[1:]
    costs = torch.empty(height, width, len(planes), device=view.center.device)
    for start in range(0, len(planes), PLANES_AT_ONCE):
        between()
        chunk = planes[start : start + PLANES_AT_ONCE]
        differences = _absolute_differences(view, _focused(view, chunk, backend))
        differences[-1] *= WHOLE
        judged = smooth(differences.flatten(0, 1)).view_as(differences).amin(0)
        costs[..., start : start + len(chunk)] = judged.permute(1, 2, 0)
    return costs


def _absolute_differences(view: View, means: Tensor) -> Tensor:
    """``[S, D, H, W]``: how much the picture through each side differs from the centre view, summed over the channels.

    On the CPU in NumPy, some rows at a time in each thread: they stay in the processor's cache, and threads do not wait
    for each other after every step, which on a busy machine takes longer than the work.
    """
    if means.is_cuda:
        return view.sides.of(means.sub_(view.center)).abs_().sum(2)
    pieces, center, shares = means.numpy(), view.center.numpy(), view.sides.shares.tolist()
    out = np.empty((len(shares), *pieces.shape[1:2], *pieces.shape[3:]), np.float32)

    def some(top: int) -> None:
        rows = slice(top, top + _ROWS)
        differences = pieces[..., rows, :] - center[:, rows]
        for side, parts in zip(out, shares, strict=True):
            first, *others = [np.float32(share) * part for share, part in zip(parts, differences, strict=True) if share]
            for part in others:
                first += part
            np.abs(first, out=first).sum(1, out=side[:, rows])

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(some, range(0, pieces.shape[3], _ROWS)))
    return torch.from_numpy(out)


def differences_of(view: View, disparity: Tensor, backend: str) -> Tensor:
    """``[S, C, H, W]``: the picture through each side, focused by a map, less the centre view."""
    return view.sides.of(_focused(view, disparity, backend).sub_(view.center))


def _focused(view: View, disparity: Tensor, backend: str) -> Tensor:
    """``[P, (D,) C, H, W]`` float32: through each piece of the aperture, focused on planes or by a map."""
    pieces = view.sides.pieces
    return lfdeblur_ops.refocus(
        view.views, disparity, aperture=pieces, interpolation="bicubic", backend=backend
    ).float()


def _confidence(costs: Tensor, index: Tensor, flat: float) -> Tensor:
    """By how much the best match is better than the best one elsewhere; 0 on flat and on repeating surfaces.

    ``costs`` are overwritten.
    """
    best = costs.gather(2, index)[..., 0]
    for away in range(-_RIVAL, _RIVAL + 1):
        costs.scatter_(2, (index + away).clamp(0, costs.shape[2] - 1), float("inf"))
    rival = costs.amin(2)
    confidence = 1 - (best + flat) / (rival + flat)
    return torch.where(rival.isinf(), 0.0, confidence).clamp_(0, 1)
