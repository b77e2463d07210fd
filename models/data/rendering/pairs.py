"""Training pairs: a defocused picture, what a dual-pixel camera's halves see, and the all-in-focus truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..light_field import LightField
from ..transfer import linear_to_srgb, to_linear
from .aperture import Aperture
from .exposure import enlarge, expose


@dataclass(frozen=True)
class Pair:
    """One defocused view of a scene and its truth; pictures are ``[C, H, W]`` float32 in [0, 1], sRGB-encoded.

    Attributes:
        defocused: the picture through the whole aperture.
        left, right: the pictures through the left and right halves of the aperture, as a dual-pixel camera takes
            them; in linear light their weighted mean is ``defocused``.
        truth: all in focus: the centre view.
        disparity: of the plane in focus, pixels per view step.
        aperture: ``[V, U]`` float32 weights of the views; of a varying one those at the centre of the picture.
    """

    defocused: Tensor
    left: Tensor
    right: Tensor
    truth: Tensor
    disparity: float
    aperture: Tensor


def center_picture(light_field: LightField, scale: int = 1) -> Tensor:
    """The centre view as ``[C, H, W]`` float32 in [0, 1], sRGB-encoded. Raises LightFieldError where there is none."""
    center = light_field.center
    if scale != 1:
        return encode(enlarge(to_linear(center, light_field.transfer).float()[None, None], scale)[0, 0])
    if light_field.transfer == "linear":
        return encode(to_linear(center, "linear").float())
    levels = {torch.uint8: 255.0, torch.uint16: 65535.0}.get(center.dtype, 1.0)
    return center.float() / levels


def encode(linear: Tensor) -> Tensor:
    """Linear light to sRGB values, clamped to [0, 1]."""
    return linear_to_srgb(linear.clamp(0, 1))


def render_pair(
    light_field: LightField,
    disparity: float,
    aperture: Aperture | Tensor,
    *,
    interpolation: str = "bilinear",
    backend: str = "auto",
) -> Pair:
    """Render one training pair; blur is summed in linear light.

    Args:
        light_field: with a centre view (see ``LightField.with_center``).
        disparity: of the plane in focus, pixels per view step.
        aperture: a shape, or ``[V, U]`` weights, for example of ``disk``.
        interpolation, backend: as ``lfdeblur_ops.refocus`` takes them.

    Raises:
        LightFieldError: the light field has no centre view.
        RuntimeError, TypeError, ValueError: as ``lfdeblur_ops.refocus``.
    """
    return render_pairs(light_field, [disparity], [aperture], interpolation=interpolation, backend=backend)[0][0]


def render_pairs(
    light_field: LightField,
    disparities: Sequence[float],
    apertures: Sequence[Aperture | Tensor],
    *,
    interpolation: str = "bilinear",
    backend: str = "auto",
) -> list[list[Pair]]:
    """Every aperture at every plane, in one pass over the light field; arguments and errors as ``render_pair``.

    Returns: ``result[a][d]`` for ``apertures[a]`` and ``disparities[d]``.
    """
    truth = center_picture(light_field)
    light = expose(light_field, disparities, apertures, halves=True, interpolation=interpolation, backend=backend)
    whole, sides = encode(light.light), encode(light.sides)
    weights = [a.weights(light_field.grid) if isinstance(a, Aperture) else a.float() for a in apertures]
    return [
        [
            Pair(whole[a, d], sides[a, 0, d], sides[a, 1, d], truth, float(disparity), weights[a])
            for d, disparity in enumerate(disparities)
        ]
        for a in range(len(apertures))
    ]
