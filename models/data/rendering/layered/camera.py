"""A camera: from linear light to an sRGB-encoded picture of 8 bits."""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ...transfer import linear_to_srgb
from .draws import Draws
from .options import RenderingOptions

SHOT, READ = 4e-4, 0.003  # most: variance at white of photon noise, deviation of read-out noise
QUALITY = (75, 98)


def with_noise(light: Tensor, draws: Draws, chance: float, name: str = "", share: Tensor | float = 1.0) -> Tensor:
    """Photon and read-out noise, their sum normally distributed (Foi et al., IEEE TIP 2008), on some of the pairs.

    Args:
        light: ``[B, 3, H, W]`` linear light in [0, 1]. draws: of the pairs, on its device.
        chance: of noise. name: of the sensor: another one has other noise.
        share: ``[B, 1, 1, 1]``, of all light, that falls on this sensor; half of a dual pixel has fewer photons, and
            its read-out is louder once brought to full scale.
    """
    noisy = draws.happens("noisy", chance)[:, None, None, None]
    shot = draws.log_between("photons", SHOT / 30, SHOT)[:, None, None, None]
    read = draws.log_between("read-out", READ / 40, READ)[:, None, None, None]
    grain = draws.normal("grain" + name, *light.shape[1:])
    deviation = (shot / share * light + (read / share).square()).sqrt_()
    return torch.where(noisy, light + grain * deviation, light)


def demosaiced(light: Tensor) -> Tensor:
    """What a Bayer sensor (red at the top left) keeps of ``[B, 3, H, W]``, interpolated linearly with gradients of the
    other colours (Malvar, He, Cutler, ICASSP 2004)."""
    filters = _malvar().to(light.device)
    height, width = light.shape[-2:]
    odd_y = (torch.arange(height, device=light.device) % 2)[:, None]
    odd_x = torch.arange(width, device=light.device) % 2
    red, blue = (1 - odd_y) * (1 - odd_x), odd_y * odd_x
    green_by_red, green_by_blue = (1 - odd_y) * odd_x, odd_y * (1 - odd_x)
    raw = light[:, 0] * red + light[:, 1] * (green_by_red + green_by_blue) + light[:, 2] * blue
    green, row, column, diagonal = F.conv2d(F.pad(raw[:, None], (2,) * 4, mode="reflect"), filters).unbind(1)
    return torch.stack(
        [
            raw * red + row * green_by_red + column * green_by_blue + diagonal * blue,
            raw * (green_by_red + green_by_blue) + green * (red + blue),
            raw * blue + row * green_by_blue + column * green_by_red + diagonal * red,
        ],
        1,
    )


def developed(light: Tensor) -> Tensor:
    """Linear light, clipped and encoded, in steps of 1/255."""
    return (linear_to_srgb(light.clamp(0, 1)) * 255).round_() / 255


def compressed(picture: Tensor, quality: Tensor) -> Tensor:
    """A picture as JPEG gives it back (ITU T.81, its example tables; chroma at half size).

    Args:
        picture: ``[B, 3, H, W]`` in [0, 1]; H and W of any size.
        quality: ``[B]`` from 50 to 100, as libjpeg counts it.
    """
    height, width = picture.shape[-2:]
    padded = F.pad(picture, (0, -width % 16, 0, -height % 16), mode="replicate")
    to_ycc = _ycc().to(picture.device)
    ycc = torch.einsum("ij,bjyx->biyx", to_ycc, padded)
    scale = (2 - quality / 50).clamp_min(0.01)[:, None, None, None, None, None]
    luma, chroma = _tables().to(picture.device)
    y = _quantised(ycc[:, :1] - 0.5, (luma * scale).round().clamp_min(1)) + 0.5
    c = _quantised(F.avg_pool2d(ycc[:, 1:], 2), (chroma * scale).round().clamp_min(1))
    c = F.interpolate(c, scale_factor=2.0, mode="bilinear", align_corners=False)
    back = torch.einsum("ij,bjyx->biyx", torch.linalg.inv(to_ycc.cpu()).to(picture.device), torch.cat([y, c], 1))
    return ((back[..., :height, :width].clamp(0, 1) * 255).round_()) / 255


def photograph(light: Tensor, draws: Draws, options: RenderingOptions) -> Tensor:
    """The defocused picture ``[B, 3, H, W]`` of a camera: noise, Bayer pattern, 8 bits, JPEG, each on its share."""
    picture = developed(with_bayer(with_noise(light.clamp(0, 1), draws, options.noisy), draws, options))
    coded = draws.happens("compressed", options.compressed)
    if not bool(coded.any()):
        return picture
    quality = draws.between("quality", *QUALITY)
    return torch.where(coded[:, None, None, None], compressed(picture, quality), picture)


def with_bayer(light: Tensor, draws: Draws, options: RenderingOptions) -> Tensor:
    """Linear light, of a share of the pairs through a Bayer pattern."""
    return torch.where(draws.happens("demosaiced", options.demosaiced)[:, None, None, None], demosaiced(light), light)


def _quantised(planes: Tensor, table: Tensor) -> Tensor:
    """``[B, C, H, W]`` through an 8x8 cosine transform in steps of ``table`` of 255."""
    basis = _cosines().to(planes.device)
    blocks = planes.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).permute(0, 1, 2, 4, 3, 5)  # [B, C, h, w, 8, 8]
    waves = basis @ (blocks * 255) @ basis.T
    waves = (waves / table).round_() * table
    blocks = basis.T @ waves @ basis / 255
    return blocks.permute(0, 1, 2, 4, 3, 5).flatten(4, 5).flatten(2, 3)


@cache
def _cosines() -> Tensor:
    k, x = torch.arange(8)[:, None], torch.arange(8)
    basis = torch.cos((2 * x + 1) * k * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis


@cache
def _ycc() -> Tensor:
    """To Y, Cb, Cr, the latter two around 0."""
    return torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


@cache
def _tables() -> Tensor:
    """Tables K.1 and K.2 of ITU T.81."""
    luma = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
        18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
    chroma = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
    second = torch.full((8, 8), 99.0)
    second[:4, :4] = torch.tensor(chroma)
    return torch.stack([torch.tensor([float(number) for number in luma.split()]).view(8, 8), second])


@cache
def _malvar() -> Tensor:
    """``[4, 1, 5, 5]``: green at red and blue; red (blue) at green between two of a row, of a column; red at blue."""
    green = [[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]
    row = [[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]
    diagonal = [[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]
    column = torch.tensor(row).T.tolist()
    return torch.tensor([green, row, column, diagonal])[:, None] / 8
