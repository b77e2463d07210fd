"""Sharp pictures out of focus as a thin lens with a round aperture makes them: blur whose truth is known."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.transfer import linear_to_srgb, srgb_to_linear

PARTS = 16  # of a pixel, along each side, in which a disk's area is counted
SEED = 0


def disk_kernel(radius: float) -> Tensor:
    """``[K, K]`` float64: the share of a disk's area in each pixel; ``radius`` in pixels, at least 0."""
    reach = math.ceil(radius) + 1
    side = (2 * reach + 1) * PARTS
    place = (torch.arange(side, dtype=torch.float64) + 0.5) / PARTS - side / (2 * PARTS)
    inside = place[:, None] ** 2 + place**2 <= max(radius, 1 / PARTS) ** 2
    area = inside.double().view(2 * reach + 1, PARTS, 2 * reach + 1, PARTS).sum((1, 3))
    return area / area.sum()


def disk_blurred(picture: Tensor, radius: float, noise: float = 0.0) -> Tensor:
    """A picture under a disk in linear light, with noise, in 8 bits; borders are replicated.

    Args:
        picture: ``[C, H, W]`` floating point in [0, 1], sRGB-encoded.
        radius: of the circle of confusion, pixels.
        noise: standard deviation of normal noise on the encoded values, the same in every call.

    Returns: float32 of the same shape, multiples of 1/255.
    """
    kernel = disk_kernel(radius)
    reach = len(kernel) // 2
    light = F.pad(srgb_to_linear(picture.double())[None], (reach,) * 4, mode="replicate")[0]
    size = light.shape[-2:]
    spectrum = torch.fft.rfft2(light) * torch.fft.rfft2(kernel, s=size)
    blurred = torch.fft.irfft2(spectrum, s=size)[..., 2 * reach :, 2 * reach :]
    encoded = linear_to_srgb(blurred.clamp(0, 1))
    if noise:
        generator = torch.Generator().manual_seed(SEED)
        encoded = encoded + noise * torch.randn(encoded.shape, generator=generator, dtype=torch.float64)
    return ((encoded.clamp(0, 1) * 255).round() / 255).float()
