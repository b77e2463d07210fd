"""Random scenes: layers one before the other, each a part of a picture with an outline, at a depth of its own."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .draws import Draws
from .options import RenderingOptions
from .picture_pool import PicturePool

WAVES = 5  # of which an outline is made
SLICES = 3  # radii in which a slanted layer is blurred
LAYERS = (0.3, 0.65, 0.88)  # of all scenes have at most one, two, three layers
LEAST_RADIUS = 0.6


@dataclass(frozen=True)
class Scenes:
    """The layers of a batch of pairs, the background of each first; what is drawn is on the CPU.

    Attributes:
        pair: ``[N]`` int64, to which pair a layer belongs; sorted by ``level``.
        level: ``[N]`` int64, its place from the back, 0 for the background.
        radius: ``[N, 2]`` radius of the circle of confusion in pixels at both ends of its slant; negative behind the
            plane in focus, positive in front of it. Along the levels of a scene it rises.
        towards: ``[N]`` direction of the slant, in radians.
    """

    pair: Tensor
    level: Tensor
    radius: Tensor
    towards: Tensor

    @property
    def slanted(self) -> Tensor:
        """``[N]`` bool."""
        return self.radius[:, 0] != self.radius[:, 1]


def draw_scenes(draws: Draws, options: RenderingOptions) -> Scenes:
    """The layers of a batch of pairs; ``draws`` on the CPU."""
    most = options.layers
    levels = torch.arange(most)
    count = 1 + torch.bucketize(draws.uniform("layers"), torch.tensor(LAYERS)).clamp_max(most - 1)
    radius = draws.log_between("radius", LEAST_RADIUS, options.radius, most)
    radius = radius * torch.where(draws.happens("before focus", 0.5, most), 1.0, -1.0)
    # Of layers that do not exist, last in the order of depth.
    radius = radius.masked_fill(draws.happens("in focus", options.sharp, most), 0.0)
    exists = levels < count[:, None]
    radius = radius.masked_fill(~exists, torch.inf).sort(1).values
    slant = draws.between("slant", 0.1, 0.5, most) * radius.abs().clamp_min(2.0)
    slant = torch.where(draws.happens("slanted", options.slanted, most) & (radius != 0), slant, 0.0)
    limit = options.radius
    ends = torch.stack([radius - slant, radius + slant], 2).clamp(-limit, limit)
    pair, level = exists.nonzero().T
    order = level.argsort(stable=True)
    pair, level = pair[order], level[order]
    towards = draws.between("towards", 0, 2 * torch.pi, most)
    return Scenes(pair, level, ends[pair, level], towards[pair, level])


def paint(scenes: Scenes, draws: Draws, pool: PicturePool, options: RenderingOptions, side: int) -> Tensor:
    """Light and outline of each layer, as seen with everything in focus.

    Args:
        scenes, draws: of a batch; on the CPU.
        pool: of pictures; the result is on its device.
        side: of the result in pixels.

    Returns: ``[N, 4, side, side]`` float32: linear light times opacity, and opacity.
    """
    most, pair, level = options.layers, scenes.pair, scenes.level
    device = pool.pixels.device

    def drawn(values: Tensor) -> Tensor:
        return values[pair, level]

    choice, y, x = (drawn(draws.uniform(name, most)) for name in ("picture", "top", "left"))
    light = pool.patches(choice, y, x, drawn(draws.below("turned", 8, most)), side)

    gain = draws.between("gain", 0.5, 1.3, most)[:, :, None] * draws.between("balance", 0.8, 1.25, 1, 3)
    shift = torch.where(draws.happens("recoloured", 0.2, most), draws.below("colours", 3, most), 0)
    colours = (torch.arange(3) + drawn(shift)[:, None]) % 3
    light = light.gather(1, colours.to(device)[:, :, None, None].expand_as(light))
    light *= drawn(gain).to(device)[:, :, None, None]
    shine = torch.where(draws.happens("shining", options.highlights, most), draws.between("shine", 1, 7, most), 0.0)
    bright = ((light.amax(1, keepdim=True) - 0.8) / 0.2).clamp_(0, 1)
    light *= 1 + drawn(shine).to(device)[:, None, None, None] * bright

    opacity = _outlines(draws, scenes, most, side, device)[:, None]
    return torch.cat([light * opacity, opacity], 1)


def across(towards: Tensor, side: int) -> Tensor:
    """``[N, side, side]``: how far along a direction (radians) a pixel is, -1 to 1 within the inscribed circle."""
    along = torch.linspace(-1, 1, side, device=towards.device)
    return towards.cos()[:, None, None] * along[None, None] + towards.sin()[:, None, None] * along[None, :, None]


def _outlines(draws: Draws, scenes: Scenes, most: int, side: int, device: torch.device) -> Tensor:
    """``[N, side, side]`` opacity: where a sum of waves is positive. One long wave makes a straight edge, one short one
    bars, several of them shapes with holes. The background is everywhere."""
    pair, level = scenes.pair, scenes.level
    kind = draws.uniform("outline", most)
    single, bars = kind < 0.35, kind < 0.15
    length = torch.where(bars, draws.log_between("bars", 8, 60, most), draws.between("edge", 3, 5, most) * side)
    length = torch.where(single, length, draws.log_between("shapes", 30, 160, most))
    wave = 2 * torch.pi / (length[..., None] * draws.between("spread", 0.6, 1.6, most, WAVES))
    angle = draws.between("angle", 0, 2 * torch.pi, most, WAVES)
    phase = draws.between("phase", 0, 2 * torch.pi, most, WAVES)
    height = draws.between("height", 0.5, 1, most, WAVES)
    height[..., 1:] = height[..., 1:].masked_fill(single[..., None], 0)
    bias = draws.between("cover", -0.7, 0.5, most) * height.square().sum(-1).sqrt()
    soft = draws.log_between("edge width", 1, 4, most)
    wave_y, wave_x, phase, height, bias, soft = (
        value[pair, level].to(device) for value in (wave * angle.sin(), wave * angle.cos(), phase, height, bias, soft)
    )
    # A wave is a product of turning numbers along each axis: no cosine for each pixel.
    along = torch.arange(side, device=device) - side / 2
    heights = height[..., None].expand(-1, -1, side).contiguous()
    rows = torch.polar(heights, wave_y[..., None] * along + phase[..., None])
    columns = torch.polar(torch.ones_like(along).expand_as(rows.real).contiguous(), wave_x[..., None] * along)
    value = torch.einsum("nwy,nwx->nyx", rows, columns).real + bias[:, None, None]
    dy = torch.einsum("nwy,nwx->nyx", rows * wave_y[..., None], columns).imag
    dx = torch.einsum("nwy,nwx->nyx", rows * wave_x[..., None], columns).imag
    steep = torch.hypot(dy, dx).clamp_min_(1e-3)
    opacity = (0.5 + value / (steep * soft[:, None, None])).clamp_(0, 1)
    return torch.where((level > 0).to(device)[:, None, None], opacity, 1.0)
