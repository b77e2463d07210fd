"""Apertures on a grid, and the point spread functions they make on a sensor."""

import torch
from torch import Tensor

from .draws import Draws

CELLS = 32  # along each side of the aperture
VIEWS = (9, 14)  # least and most, along each axis, of a lenslet camera


def draw_apertures(draws: Draws, in_views: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A random aperture for each pair: disk, polygon, ring or cat's eye, its edge more or less soft.

    Args:
        draws: of a batch of pairs.
        in_views: ``[B]`` bool, the aperture is sampled by 9 to 14 discrete views along each axis; else it is filled.

    Returns:
        ``[B, CELLS, CELLS]`` weights, rows downwards; ``[B, CELLS]`` places of the cells along each axis, -1 to 1; and
        ``[B]`` how wide a cell is: 0 for a discrete view, which is interpolated between pixels.
    """
    views = VIEWS[0] + draws.below("views", VIEWS[1] - VIEWS[0] + 1)
    count = torch.where(in_views, views, CELLS)[:, None]
    i = torch.arange(CELLS, device=count.device)
    filled = (2 * i + 1) / CELLS - 1
    places = torch.where(in_views[:, None], 2 * i / (count - 1) - 1, filled)
    u, v = places[:, None, :], places[:, :, None]
    distance, angle = torch.hypot(u, v), torch.atan2(v, u)

    kind = draws.uniform("aperture")[:, None, None]
    softness = draws.between("softness", 2 / CELLS, 0.3)[:, None, None]
    blades = 5 + draws.below("blades", 4)[:, None, None]
    sector = 2 * torch.pi / blades
    turned = torch.remainder(angle + draws.between("turn", 0, torch.pi)[:, None, None], sector) - sector / 2
    polygon = distance * turned.cos() / (sector / 2).cos()
    weights = _soft(torch.where(kind < 0.3, polygon, distance), 1.0, softness)
    ring = (kind >= 0.3) & (kind < 0.4)
    inner = draws.between("inner", 0.2, 0.6)[:, None, None]
    weights = torch.where(ring, weights - _soft(distance, inner, softness), weights)
    eye = (kind >= 0.4) & (kind < 0.55)
    shift, towards = (draws.between(name, 0.0, most)[:, None, None] for name, most in (("cut", 0.7), ("field", 6.283)))
    moved = torch.hypot(u - shift * towards.cos(), v - shift * towards.sin())
    weights = torch.where(eye, torch.minimum(weights, _soft(moved, 1.0, softness)), weights)
    present = i < count
    weights = weights * present[:, :, None] * present[:, None, :]
    return weights, places, torch.where(in_views, 0.0, 2 / CELLS)


def transfer_functions(weights: Tensor, places: Tensor, cell: Tensor, radius: Tensor, side: int) -> Tensor:
    """Fourier transforms of the point spread functions, each of sum 1.

    Args:
        weights, places, cell: of the apertures, as ``draw_apertures`` gives them, one for each radius.
        radius: ``[M]`` signed, in pixels; positive in front of the plane in focus, where the image of the aperture is
            turned by 180 degrees.
        side: of the pictures to be convolved.

    Returns: ``[M, side, side // 2 + 1]`` complex64, as ``torch.fft.rfft2`` gives it for a kernel around pixel (0, 0).
    """
    pixel = torch.arange(side, device=radius.device)
    pixel = torch.where(pixel <= side // 2, pixel, pixel - side)[None, None]
    place = -(places * radius[:, None])[..., None]
    # A cell and a pixel are boxes: their overlap integrates the cell over the pixel. A view's box is one pixel wide,
    # which is bilinear interpolation.
    half = torch.where(cell > 0, cell * radius.abs(), 1.0).clamp_min(1e-4)[:, None, None] / 2
    reach = torch.minimum(place + half, pixel + 0.5) - torch.maximum(place - half, pixel - 0.5)
    along = reach.clamp_min_(0) / (2 * half)  # [M, CELLS, side]
    kernels = along.mT @ weights @ along
    return torch.fft.rfft2(kernels / kernels.sum((1, 2), keepdim=True))


def _soft(distance: Tensor, radius: Tensor | float, softness: Tensor) -> Tensor:
    """1 inside ``radius``, 0 outside, linear over ``softness`` at the edge."""
    return ((radius - distance) / softness + 0.5).clamp(0, 1)
