"""What a lens makes of a scene in layers."""

import torch
from torch import Tensor

from .apertures import transfer_functions
from .scenes import SLICES, Scenes, across


def all_in_focus(scenes: Scenes, layers: Tensor, pairs: int) -> Tensor:
    """``[pairs, 3, S, S]``: the layers ``[N, 4, S, S]`` one over the other."""
    return _stacked(scenes, layers, pairs)


def defocus(scenes: Scenes, layers: Tensor, apertures: tuple[Tensor, Tensor, Tensor], pairs: int) -> Tensor:
    """The layers through an aperture, the nearer ones over those behind, which are there too where they are hidden.

    Light and opacity of a layer are blurred alike, and what a blurred outline lets through is the blurred layer behind
    it. For two layers of which one is in focus that is what rays through all parts of the aperture give; where both are
    blurred, it takes the parts of the aperture that see past an edge for a fair sample of it. Slanted layers are
    blurred with ``SLICES`` radii, blended at each pixel by its own.

    Args:
        scenes: of a batch; its numbers on the CPU.
        layers: ``[N, 4, S, S]`` light times opacity, and opacity.
        apertures: as ``draw_apertures`` gives them, of the pairs.
        pairs: of the batch.

    Returns: ``[pairs, 3, S, S]`` linear light; within one radius of the border it mixes with the opposite one.
    """
    side, device = layers.shape[-1], layers.device
    slices = torch.where(scenes.slanted, SLICES, 1)
    layer = torch.repeat_interleave(torch.arange(len(slices)), slices)
    number = torch.arange(len(layer)) - (slices.cumsum(0) - slices)[layer]
    part = (number / (slices[layer] - 1).clamp_min(1))[:, None]
    ends = scenes.radius[layer]
    radius = torch.lerp(ends[:, :1], ends[:, 1:], part)[:, 0]
    pair = scenes.pair[layer].to(device)
    weights, places, cell = (value[pair] for value in apertures)
    kernels = transfer_functions(weights, places, cell, radius.to(device), side)
    spectra = torch.fft.rfft2(layers)
    blurred = torch.fft.irfft2(spectra[layer.to(device)] * kernels[:, None], s=(side, side))
    flat = (slices == 1)[layer]
    out = torch.empty_like(layers)
    out[layer[flat].to(device)] = blurred[flat.to(device)]
    sloping = scenes.slanted.nonzero()[:, 0]
    if len(sloping):
        slope = across(scenes.towards[sloping].to(device), side).clamp_(-1, 1)
        place = (slope + 1) * (SLICES - 1) / 2
        several = blurred[(~flat).to(device)].unflatten(0, (len(sloping), SLICES))
        share = (1 - (place[:, None] - torch.arange(SLICES, device=device)[:, None, None]).abs()).clamp_min_(0)
        out[sloping.to(device)] = torch.einsum("nkyx,nkcyx->ncyx", share, several)
    return _stacked(scenes, out, pairs)


def _stacked(scenes: Scenes, layers: Tensor, pairs: int) -> Tensor:
    light = layers[:pairs, :3].clone()  # the backgrounds come first, in the order of the pairs
    for level in range(1, int(scenes.level.max()) + 1):
        here = scenes.level == level
        pair, front = scenes.pair[here].to(light.device), layers[here.to(light.device)]
        light[pair] = light[pair] * (1 - front[:, 3:]) + front[:, :3]
    return light
