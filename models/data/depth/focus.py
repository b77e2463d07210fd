"""Where to focus: the disparity of one pixel, and planes from a scene's own range."""

import math

import torch

from ..arguments import whole_number
from ..light_field import LightField, LightFieldError, check_light_field
from ..rendering.planes import even_planes
from .disparity import estimate_disparity
from .disparity_range import estimate_disparity_range, widened

PLANES = 9
_AROUND = 48  # pixels that are looked at on every side
_SPOT = 2  # pixels on every side that have a say


def disparity_at(light_field: LightField, x: int, y: int) -> float:
    """The disparity of what a pixel of the centre view shows, pixels per view step: the median of 5x5 pixels.

    Where the files do not tell the true one, it is estimated from the pixel's surroundings alone.

    Raises:
        LightFieldError: the pixel is outside the picture; or as ``estimate_disparity``.
    """
    check_light_field(light_field)
    x, y = whole_number("x", x), whole_number("y", y)
    height, width = light_field.size
    if not (0 <= x < width and 0 <= y < height):
        raise LightFieldError(f"at: got {x},{y}, want a pixel of the {width}x{height} of {light_field.scene}")
    disparity, top, left = light_field.disparity, 0, 0
    if disparity is None:
        low, high = light_field.disparity_range or widened(*estimate_disparity_range(light_field))
        reach = _AROUND + math.ceil(max(-low, high, 0) * (max(light_field.grid) - 1) / 2)
        top, left = max(0, y - reach), max(0, x - reach)
        part = light_field.crop(y=slice(top, min(height, y + reach + 1)), x=slice(left, min(width, x + reach + 1)))
        disparity = estimate_disparity(part, (low, high)).disparity
    spot = disparity[max(0, y - top - _SPOT) : y - top + _SPOT + 1, max(0, x - left - _SPOT) : x - left + _SPOT + 1]
    finite = spot[torch.isfinite(spot)]
    if not finite.numel():
        raise LightFieldError(f"at: {light_field.scene} has no disparity at {x},{y}")
    return float(finite.median())


def own_planes(light_field: LightField, count: int = PLANES) -> list[float]:
    """``count`` planes from the farthest to the nearest disparity that the files tell or that is estimated.

    Raises LightFieldError: no parallax, or as ``estimate_disparity_range``.
    """
    limits = light_field.disparity_range or estimate_disparity_range(light_field)
    if light_field.disparity_range is None and limits == (0, 0):
        raise LightFieldError(
            f"{light_field.scene}: no parallax, every view shows the same picture: give the disparities"
        )
    return even_planes(limits, count)
