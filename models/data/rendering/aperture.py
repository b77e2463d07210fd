"""Aperture shapes as weights of the views, and the two halves that a dual-pixel camera sees through.

All shapes share one edge: a view's weight falls from 1 to 0 as its distance from the shape's outline goes from
``-softness/2`` to ``softness/2`` view steps; 1 is about the share of the view's cell that the shape covers, 0 a hard
edge. What lies outside the grid of views is cut off.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

MAX_BLADES = 1000  # of a diaphragm: a disk long before


def disk(
    grid: tuple[int, int], radius: float, softness: float = 1.0, center: tuple[float, float] = (0.0, 0.0)
) -> Tensor:
    """A round aperture in the middle of the grid of views.

    Args:
        grid: rows and columns of views ``(V, U)``.
        radius: in view steps, any number >= 0; 0 is the centre view alone.
        softness: width of the edge in view steps.
        center: of the aperture ``(v, u)``, in view steps from the middle of the grid, down and to the right.

    Returns: ``[V, U]`` float32 weights in [0, 1], not normalised.

    Raises:
        ValueError: bad numbers, or no view is covered.
    """
    v, u = _offsets(grid, center)
    return _covered(_soft(torch.hypot(v, u), radius, softness), grid, f"disk:{radius:g}")


def square(
    grid: tuple[int, int], radius: float, softness: float = 1.0, center: tuple[float, float] = (0.0, 0.0)
) -> Tensor:
    """A square aperture of half side ``radius`` in view steps; arguments, result and errors as in ``disk``."""
    v, u = _offsets(grid, center)
    return _covered(_soft(torch.maximum(v.abs(), u.abs()), radius, softness), grid, f"square:{radius:g}")


def polygon(
    grid: tuple[int, int],
    radius: float,
    blades: int = 6,
    rotation: float = 0.0,
    softness: float = 1.0,
    center: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """The opening of a diaphragm with straight blades; the rest as in ``disk``.

    Args:
        radius: of the circle through the corners, in view steps.
        blades: number of corners, 3 to 1000.
        rotation: degrees, clockwise as the views are seen (rows downwards); 0 has a corner at the top.
    """
    if not 3 <= blades <= MAX_BLADES:
        raise ValueError(f"aperture: got {blades} blades, want 3 to {MAX_BLADES}")
    if not math.isfinite(rotation):
        raise ValueError(f"aperture: got rotation {rotation}, want a finite number of degrees")
    v, u = _offsets(grid, center)
    # The normal of the i-th edge lies half way between two corners; v grows downwards.
    angles = [math.radians(rotation) + math.pi * (2 * i + 1) / blades for i in range(blades)]
    reach = torch.stack([u * math.sin(angle) - v * math.cos(angle) for angle in angles]).amax(0)
    apothem = radius * math.cos(math.pi / blades)
    name = f"polygon:{radius:g}:{blades}:{rotation:g}"
    _check_number("radius", radius)
    return _covered(_soft(reach, apothem, softness), grid, name)


def annulus(
    grid: tuple[int, int],
    radius: float,
    inner: float,
    softness: float = 1.0,
    center: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """A ring between ``inner`` and ``radius`` view steps, as of a mirror lens; the rest as in ``disk``."""
    if not 0 <= inner < radius:
        raise ValueError(f"aperture: got an annulus from {inner:g} to {radius:g}, want 0 <= inner < radius")
    v, u = _offsets(grid, center)
    distance = torch.hypot(v, u)
    ring = _soft(distance, radius, softness)
    if inner > 0:
        ring = ring - _soft(distance, inner, softness)
    return _covered(ring, grid, f"annulus:{radius:g}:{inner:g}")


def cats_eye(
    grid: tuple[int, int],
    radius: float,
    cut: float,
    field: tuple[float, float] = (0.0, 0.0),
    softness: float = 1.0,
    center: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """What mechanical vignetting leaves of a disk: its overlap with a disk moved outwards with the field position.

    Args:
        cut: by how many radii the second disk is moved at the corner of the picture, in [0, 2).
        field: position ``(y, x)`` in the picture from its centre, in half diagonals: a corner has length 1.

    The rest as in ``disk``.
    """
    if not (math.isfinite(cut) and 0 <= cut < 2):
        raise ValueError(f"aperture: got a cut of {cut:g} radii, want a number from 0 to below 2")
    v, u = _offsets(grid, center)
    moved = torch.hypot(v - cut * radius * field[0], u - cut * radius * field[1])
    weights = torch.minimum(_soft(torch.hypot(v, u), radius, softness), _soft(moved, radius, softness))
    return _covered(weights, grid, f"cateye:{radius:g}:{cut:g}")


def left_half(aperture: Tensor, center: float = 0.0) -> Tensor:
    """The half of an aperture ``[..., V, U]`` on the left (small u); the column in the middle is split.

    ``left_half(a) + right_half(a)`` is ``a``: the two pictures of a dual-pixel camera add up to the defocused one.
    ``center``: of the aperture along u, in view steps from the middle of the grid.
    """
    columns = aperture.shape[-1]
    u = torch.arange(columns, device=aperture.device) - (columns - 1) / 2 - center
    return aperture * (0.5 - u).clamp(0, 1).to(aperture.dtype)


def right_half(aperture: Tensor, center: float = 0.0) -> Tensor:
    """The half of an aperture ``[..., V, U]`` on the right (large u); see ``left_half``."""
    return left_half(aperture.flip(-1), -center).flip(-1)


SHAPES = ("disk", "polygon", "square", "annulus", "cateye")
MAX_CUT = 0.8  # of a random cat's eye
FORMS = "disk:R, square:R, polygon:R:BLADES[:DEGREES], annulus:R:INNER or cateye:R:CUT"


@dataclass(frozen=True)
class Aperture:
    """A shape and its radius in view steps, for a grid that is known later.

    Attributes:
        shape: one of ``SHAPES``.
        radius: in view steps.
        softness: width of the edge in view steps.
        blades, rotation: of a ``polygon``.
        inner: inner radius of an ``annulus``, in view steps.
        cut: of a ``cateye``: by how many radii its second disk is moved at the corner of the picture.
    """

    shape: str
    radius: float
    softness: float = 1.0
    blades: int = 6
    rotation: float = 0.0
    inner: float = 0.0
    cut: float = 0.0

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"aperture: got the shape {self.shape!r}, want one of {', '.join(SHAPES)}")

    @property
    def varies(self) -> bool:
        """Whether the weights differ over the picture."""
        return self.shape == "cateye" and self.cut > 0

    def weights(
        self,
        grid: tuple[int, int],
        field: tuple[float, float] = (0.0, 0.0),
        center: tuple[float, float] = (0.0, 0.0),
    ) -> Tensor:
        """Weights for a grid of views ``(V, U)``, seen from a position in the picture.

        Args:
            grid: rows and columns of views.
            field: ``(y, x)`` from the picture's centre in half diagonals; only a ``cateye`` depends on it.
            center: of the aperture ``(v, u)``, in view steps from the middle of the grid, down and to the right.

        Returns: ``[V, U]`` float32. Raises ValueError as the shape's function does.
        """
        if self.shape == "disk":
            return disk(grid, self.radius, self.softness, center)
        if self.shape == "square":
            return square(grid, self.radius, self.softness, center)
        if self.shape == "polygon":
            return polygon(grid, self.radius, self.blades, self.rotation, self.softness, center)
        if self.shape == "annulus":
            return annulus(grid, self.radius, self.inner, self.softness, center)
        return cats_eye(grid, self.radius, self.cut, field, self.softness, center)

    def __str__(self) -> str:
        more = {
            "polygon": f":{self.blades}:{self.rotation:g}",
            "annulus": f":{self.inner:g}",
            "cateye": f":{self.cut:g}",
        }
        return f"{self.shape}:{self.radius:g}{more.get(self.shape, '')}"


def parse_aperture(text: str) -> Aperture:
    """Read ``disk:3``, ``square:2.5``, ``polygon:3:6:15``, ``annulus:4:2`` or ``cateye:4:0.5``; radii in view steps.

    Raises:
        ValueError: an unknown shape, or numbers that make none.
    """
    shape, *texts = text.strip().split(":")
    counts = {"disk": (1,), "square": (1,), "polygon": (2, 3), "annulus": (2,), "cateye": (2,)}
    try:
        if len(texts) not in counts[shape]:
            raise ValueError
        radius, *more = (float(number) for number in texts)
        if not (math.isfinite(radius) and radius >= 0):
            raise ValueError
        if shape == "polygon":
            blades, rotation = more[0], more[1] if len(more) > 1 else 0.0
            if not 3 <= blades <= MAX_BLADES or blades != int(blades) or not math.isfinite(rotation):
                raise ValueError
            return Aperture(shape, radius, blades=int(blades), rotation=rotation)
        if shape == "annulus":
            if not 0 <= more[0] < radius:
                raise ValueError
            return Aperture(shape, radius, inner=more[0])
        if shape == "cateye":
            if not 0 <= more[0] < 2:
                raise ValueError
            return Aperture(shape, radius, cut=more[0])
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f"aperture: got {text!r}, want {FORMS}, radii in view steps, for example disk:3") from None
    return Aperture(shape, radius)


def random_aperture(rng: np.random.Generator, grid: tuple[int, int]) -> Aperture:
    """Any shape, its radius between one view step and the grid's own; of a single view, that view.

    Args:
        rng: the same state gives the same aperture.
        grid: rows and columns of views ``(V, U)``.
    """
    largest = (min(grid) - 1) / 2
    if largest < 1:
        return Aperture("disk", largest)
    shape = SHAPES[rng.integers(len(SHAPES))]
    # Two decimals: what is written into a manifest is what was rendered.
    radius = max(1.0, round(float(rng.uniform(1, largest)), 2))
    if shape == "polygon":
        return Aperture(shape, radius, blades=int(rng.integers(5, 10)), rotation=round(float(rng.uniform(0, 72)), 1))
    if shape == "annulus":
        return Aperture(shape, radius, inner=round(radius * float(rng.uniform(0.2, 0.6)), 2))
    if shape == "cateye":
        return Aperture(shape, radius, cut=round(float(rng.uniform(0.2, MAX_CUT)), 2))
    return Aperture(shape, radius)


def _offsets(grid: tuple[int, int], center: tuple[float, float]) -> tuple[Tensor, Tensor]:
    rows, columns = grid
    if rows < 1 or columns < 1:
        raise ValueError(f"aperture: got a grid of {rows}x{columns} views, want at least one view")
    v = torch.arange(rows, dtype=torch.float64)[:, None] - (rows - 1) / 2 - center[0]
    u = torch.arange(columns, dtype=torch.float64) - (columns - 1) / 2 - center[1]
    return v.expand(rows, columns), u.expand(rows, columns)


def _check_number(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"aperture: got {name} {value}, want a number >= 0, in view steps")


def _soft(distance: Tensor, radius: float, softness: float) -> Tensor:
    """1 inside ``radius``, 0 outside, linear over ``softness`` at the edge."""
    _check_number("radius", radius)
    _check_number("softness", softness)
    if radius == 0 or softness == 0:
        return (distance <= radius).to(torch.float64)
    return ((radius - distance) / softness + 0.5).clamp(0, 1)


def _covered(weights: Tensor, grid: tuple[int, int], name: str) -> Tensor:
    if not bool((weights > 0).any()):
        why = ", which has no centre view" if grid[0] % 2 == 0 or grid[1] % 2 == 0 else ""
        raise ValueError(f"aperture: {name} covers no view of a grid of {grid[0]}x{grid[1]}{why}")
    return weights.float()
