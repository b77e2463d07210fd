"""Apertures drawn at random, for augmentation."""

import numpy as np

from .aperture import SHAPES, Aperture

MAX_CUT = 0.8


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
