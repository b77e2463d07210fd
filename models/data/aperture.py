"""Aperture shapes as weights of the views, and the two halves that a dual-pixel camera sees through."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


def disk(grid: tuple[int, int], radius: float, softness: float = 1.0) -> Tensor:
    """A round aperture in the middle of the grid of views.

    Args:
        grid: rows and columns of views ``(V, U)``.
        radius: in view steps, any number >= 0; 0 is the centre view alone. What lies outside the grid is cut off.
        softness: width of the edge in view steps: a view's weight falls from 1 to 0 as its distance from the centre
            goes from ``radius - softness/2`` to ``radius + softness/2``; 1 is about the share of a view's cell that
            the disk covers, 0 a hard edge.

    Returns: ``[V, U]`` float32 weights in [0, 1], not normalised.

    Raises:
        ValueError: bad numbers, or no view is covered.
    """
    v, u = _offsets(grid)
    return _soft(torch.hypot(v, u), grid, radius, softness, "disk")


def square(grid: tuple[int, int], radius: float, softness: float = 1.0) -> Tensor:
    """A square aperture of half side ``radius`` in view steps; arguments, result and errors as in ``disk``."""
    v, u = _offsets(grid)
    return _soft(torch.maximum(v.abs(), u.abs()), grid, radius, softness, "square")


def left_half(aperture: Tensor) -> Tensor:
    """The half of an aperture ``[..., V, U]`` on the left (small u); the centre column is split evenly.

    ``left_half(a) + right_half(a)`` is ``a``: the two pictures of a dual-pixel camera add up to the defocused one.
    """
    columns = aperture.shape[-1]
    u = torch.arange(columns, device=aperture.device) - (columns - 1) / 2
    return aperture * torch.where(u < 0, 1.0, torch.where(u == 0, 0.5, 0.0)).to(aperture.dtype)


def right_half(aperture: Tensor) -> Tensor:
    """The half of an aperture ``[..., V, U]`` on the right (large u); see ``left_half``."""
    return left_half(aperture.flip(-1)).flip(-1)


SHAPES: dict[str, Callable[..., Tensor]] = {"disk": disk, "square": square}


@dataclass(frozen=True)
class Aperture:
    """A shape and its radius in view steps, for a grid that is known later."""

    shape: str
    radius: float
    softness: float = 1.0

    def weights(self, grid: tuple[int, int]) -> Tensor:
        """``[V, U]`` float32 weights for a grid of views ``(V, U)``. Raises ValueError as the shape's function does."""
        return SHAPES[self.shape](grid, self.radius, self.softness)

    def __str__(self) -> str:
        return f"{self.shape}:{self.radius:g}"


def parse_aperture(text: str) -> Aperture:
    """Read ``disk:3`` or ``square:2.5``: a shape and its radius in view steps.

    Raises:
        ValueError: an unknown shape, or a radius that is no number >= 0.
    """
    shape, _, number = text.strip().partition(":")
    try:
        radius = float(number)
    except ValueError:
        radius = math.nan
    if shape not in SHAPES or not (math.isfinite(radius) and radius >= 0):
        raise ValueError(
            f"aperture: got {text!r}, want disk:R or square:R with R >= 0 in view steps, for example disk:3"
        )
    return Aperture(shape, radius)


def _offsets(grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    rows, columns = grid
    if rows < 1 or columns < 1:
        raise ValueError(f"aperture: got a grid of {rows}x{columns} views, want at least one view")
    v = torch.arange(rows, dtype=torch.float64)[:, None] - (rows - 1) / 2
    u = torch.arange(columns, dtype=torch.float64) - (columns - 1) / 2
    return v.expand(rows, columns), u.expand(rows, columns)


def _soft(distance: Tensor, grid: tuple[int, int], radius: float, softness: float, shape: str) -> Tensor:
    if not (math.isfinite(radius) and radius >= 0):
        raise ValueError(f"aperture: got radius {radius}, want a number >= 0, in view steps")
    if not (math.isfinite(softness) and softness >= 0):
        raise ValueError(f"aperture: got softness {softness}, want a number >= 0, in view steps")
    if radius == 0 or softness == 0:
        weights = (distance <= radius).to(torch.float64)
    else:
        weights = ((radius - distance) / softness + 0.5).clamp(0, 1)
    if not bool((weights > 0).any()):
        raise ValueError(
            f"aperture: {shape}:{radius:g} covers no view of a grid of {grid[0]}x{grid[1]}, which has no centre view"
        )
    return weights.float()
