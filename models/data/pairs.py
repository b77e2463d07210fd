"""Training pairs: a defocused picture, what a dual-pixel camera's halves see, and the all-in-focus truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lfdeblur_ops import refocus

from .aperture import left_half, right_half
from .light_field import LightField
from .transfer import linear_to_srgb, to_linear


@dataclass(frozen=True)
class Pair:
    """One defocused view of a scene and its truth; pictures are ``[C, H, W]`` float32 in [0, 1], sRGB-encoded.

    Attributes:
        defocused: the picture through the whole aperture.
        left, right: the pictures through the left and right halves of the aperture, as a dual-pixel camera takes
            them; in linear light their weighted mean is ``defocused``.
        truth: all in focus: the centre view.
        disparity: of the plane in focus, pixels per view step.
        aperture: ``[V, U]`` float32 weights of the views.
    """

    defocused: Tensor
    left: Tensor
    right: Tensor
    truth: Tensor
    disparity: float
    aperture: Tensor


def refocus_light(
    light_field: LightField,
    disparity: Tensor | Sequence[float] | float,
    aperture: Tensor | None = None,
    *,
    interpolation: str = "bilinear",
    backend: str = "auto",
) -> Tensor:
    """``lfdeblur_ops.refocus`` in linear light, one colour channel at a time to save memory.

    Args:
        light_field: of any transfer function; its ``weights`` multiply the aperture.
        disparity: a number, ``[D]``, or a map ``[H, W]`` / ``[D, H, W]``, pixels per view step.
        aperture: ``[V, U]`` or ``[A, V, U]``; None: all views.
        interpolation, backend: as ``lfdeblur_ops.refocus`` takes them.

    Returns: ``[A, D, C, H, W]`` float32 linear light in [0, 1] (bicubic may overshoot), without A or D where the
        argument has no such axis. Errors are those of ``lfdeblur_ops.refocus``.
    """
    views, weights = light_field.views, light_field.weights
    if weights is not None:
        aperture = weights if aperture is None else aperture * weights
    channels = [
        refocus(
            to_linear(views[:, :, c : c + 1], light_field.transfer),
            disparity,
            aperture=aperture,
            interpolation=interpolation,
            backend=backend,
        )
        for c in range(views.shape[2])
    ]
    return torch.cat(channels, -3)


def center_picture(light_field: LightField) -> Tensor:
    """The centre view as ``[C, H, W]`` float32 in [0, 1], sRGB-encoded. Raises LightFieldError where there is none."""
    center = light_field.center
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
    aperture: Tensor,
    *,
    interpolation: str = "bilinear",
    backend: str = "auto",
) -> Pair:
    """Render one training pair; blur is summed in linear light.

    Args:
        light_field: with a centre view (see ``LightField.with_center``).
        disparity: of the plane in focus, pixels per view step.
        aperture: ``[V, U]`` weights, for example of ``disk``.
        interpolation, backend: as ``lfdeblur_ops.refocus`` takes them.

    Raises:
        LightFieldError: the light field has no centre view.
        RuntimeError, TypeError, ValueError: as ``lfdeblur_ops.refocus``.
    """
    return render_pairs(light_field, [disparity], [aperture], interpolation=interpolation, backend=backend)[0][0]


def render_pairs(
    light_field: LightField,
    disparities: Sequence[float],
    apertures: Sequence[Tensor],
    *,
    interpolation: str = "bilinear",
    backend: str = "auto",
) -> list[list[Pair]]:
    """Every aperture at every plane, in one pass over the light field; arguments and errors as ``render_pair``.

    Returns: ``result[a][d]`` for ``apertures[a]`` and ``disparities[d]``.
    """
    truth = center_picture(light_field)
    full = torch.stack([aperture.float() for aperture in apertures])
    halves = torch.stack([left_half(full), right_half(full)], 1)  # [A, 2, V, U]
    planes = torch.tensor(disparities, dtype=torch.float32)
    light = refocus_light(light_field, planes, halves.flatten(0, 1), interpolation=interpolation, backend=backend)
    light = light.unflatten(0, (len(apertures), 2))  # [A, 2, D, C, H, W]
    counted = halves if light_field.weights is None else halves * light_field.weights
    share = counted.sum((2, 3))
    share = (share / share.sum(1, keepdim=True))[..., None, None, None, None]
    whole = encode((light * share).sum(1))
    sides = encode(light)
    return [
        [
            Pair(whole[a, d], sides[a, 0, d], sides[a, 1, d], truth, float(disparity), full[a])
            for d, disparity in enumerate(disparities)
        ]
        for a in range(len(apertures))
    ]
