"""Defocus maps: how far each pixel is out of focus, and on which side."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .aperture import Aperture

ZERO, STEPS = 32768, 256  # of the 16-bit files: value = ZERO + STEPS * pixels


def aperture_diameter(aperture: Aperture, grid: tuple[int, int]) -> float:
    """Diameter of an aperture in view steps, cut off by the grid of views."""
    return 2 * min(aperture.radius, max(grid) / 2)


def defocus_map(disparity: Tensor, focus: float | Sequence[float] | Tensor, diameter: float) -> Tensor:
    """Signed circle of confusion: its diameter in pixels, positive nearer than the plane in focus.

    A point of disparity ``d`` moves by ``d - focus`` pixels from view to view once the plane ``focus`` stands still, so
    an aperture that is ``diameter`` view steps wide draws it as a spot ``diameter * (d - focus)`` pixels wide.

    Args:
        disparity: ``[H, W]`` floating point, pixels per view step.
        focus: of the plane(s) in focus, pixels per view step: a number or ``[D]``.
        diameter: of the aperture, in view steps.

    Returns: ``[H, W]`` or ``[D, H, W]``, dtype and device of ``disparity``.
    """
    planes = torch.as_tensor(focus, dtype=disparity.dtype, device=disparity.device)
    return (disparity - planes[..., None, None]) * diameter


def encode_defocus(coc: Tensor) -> Tensor:
    """Pixels to the values of a 16-bit file: ``round(32768 + 256 * pixels)``, cut to 0..65535 (+-128 pixels)."""
    return (coc * STEPS + ZERO).round().clamp(0, 65535).to(torch.int32).to(torch.uint16)


def decode_defocus(values: Tensor) -> Tensor:
    """The values of a 16-bit defocus map to pixels, float32; the inverse of ``encode_defocus``."""
    return (values.to(torch.float32) - ZERO) / STEPS
