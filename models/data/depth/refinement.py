"""Disparity to a hundredth of a pixel: a step of Gauss-Newton on the difference from the centre view, and smoothing.

The step is as Lucas and Kanade (IJCAI 1981) register pictures, here all views at once through the side that fits best.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .edge_aware import EdgeAware, median
from .global_smoothing import smooth_globally
from .search import LIKENESS, Found, View, differences_of

_WINDOW = 7  # pixels that move together
_MEDIAN = 5  # pixels over which stray steps are voted down
_FARTHEST = 0.5  # of the planes' spacing
_CHOOSY = 6.0  # the larger, the more the best side alone decides
# In units of the squared contrast:
_FLAT = 0.05  # what is flatter stays where it is
_QUIET = 0.01  # differences that are nothing
# Of smoothing:
_STRENGTH, _LEAST = 10.0, 1e-3  # and the least that any value is worth
_ALWAYS = 0.003  # the least that neighbours are tied, so that what is not sure takes what surrounds it
_SAME_COLOUR = 0.02
_SURE = 0.2  # confidence from which a jump of disparity is taken to be one
_SAME_DEPTH = 2.0  # planes


class _Step(NamedTuple):
    """``[H, W]`` each: disparity, how firmly the pictures hold it, and how much they differ there."""

    disparity: Tensor
    stiffness: Tensor
    misfit: Tensor


def refine(view: View, found: Found, spacing: float, *, backend: str) -> Tensor:
    """``[H, W]``: what was found on planes ``spacing`` apart, refined."""
    step = _gauss_newton(view, found.disparity, spacing, backend)
    disparity = median(step.disparity, _MEDIAN)
    unit = view.contrast**2
    weights = (step.stiffness / (step.misfit + _QUIET * unit)).mul_(found.confidence).add_(_LEAST)
    sure = (found.confidence / _SURE).clamp_max_(1)
    ties = []
    for dim in (0, 1):
        colours = view.guide.diff(dim=dim + 1).abs().sum(0).div_(_SAME_COLOUR)
        both = torch.minimum(sure.narrow(dim, 1, sure.shape[dim] - 1), sure.narrow(dim, 0, sure.shape[dim] - 1))
        jumps = disparity.diff(dim=dim).abs().mul_(both).div_(_SAME_DEPTH * spacing)
        ties.append(colours.add_(jumps).neg_().exp_().clamp_min_(_ALWAYS))
    return smooth_globally(disparity, weights, (ties[0], ties[1]), _STRENGTH)


def _gauss_newton(view: View, disparity: Tensor, spacing: float, backend: str) -> _Step:
    residual = differences_of(view, disparity, backend)
    delta = spacing / 2
    slope = differences_of(view, disparity + delta, backend).sub_(differences_of(view, disparity - delta, backend))
    slope.div_(2 * delta)
    products = torch.stack([(residual * slope).sum(1), slope.square().sum(1), residual.square().sum(1)])
    smooth = EdgeAware(view.guide, _WINDOW, LIKENESS)
    products = smooth(products.flatten(0, 1)).view_as(products)  # [3, S, H, W]
    unit = view.contrast**2
    trust = torch.softmax(-_CHOOSY * products[2].clamp_min(0).add_(_QUIET * unit).log_(), 0)
    pull, stiffness, misfit = (products * trust).sum(1)
    limit = _FARTHEST * spacing
    step = (pull / (stiffness + _FLAT * unit)).clamp_(-limit, limit)
    return _Step(disparity - step, stiffness, misfit)
