"""Weights with which a DRBNet returns its input.

A value ``x`` passes a LeakyReLU as two channels ``a = LeakyReLU(x)``, ``b = LeakyReLU(-x)``: ``x = (a - b) / 1.1``.
"""

from typing import Any

import torch
from torch import nn

from .blocks import SLOPE, Layers

PAIRS = 6  # channels 2c and 2c + 1 hold colour c and its negative
PICTURE, BAND = 0, PAIRS  # where the pairs begin of the picture at a scale, and of what the coarser one lacks of it


def set_identity(net: Layers) -> None:
    """See ``DRBNet.identity_``."""
    blocks: Any = net.restore
    coarse = len(blocks) > 1  # else the picture path already starts from the input
    width = net.configuration.width
    if coarse and width < PAIRS:
        raise ValueError(f"identity_: the network has width={width}, want at least {PAIRS}")
    with torch.no_grad():
        for block in blocks:
            for head in (block.filters, block.residual):
                _mute(head[-1], 0, head[-1].out_channels)
        if coarse:
            _carry_detail(net)


def _carry_detail(net: Layers) -> None:
    """Make the decoder's features a Laplacian pyramid of the picture and the residuals its bands.

    Each block then adds, to the doubled picture of the coarser scale, what the coarser scale does not hold of the
    input; so whatever training changes at a coarse scale shows in the result.
    """
    encoder: Any = net.encoder
    bottleneck: Any = net.bottleneck
    decoder: Any = net.decoder
    restore: Any = net.restore

    for level, (first, *others) in enumerate(encoder):
        if level == 0:
            _load(first, [(0, 1.0)] if net.configuration.views == 1 else [(0, 0.5), (3, 0.5)])
        else:
            _pass(first, [(PICTURE, 1 / 4)], taps=slice(1, 3))  # the mean of 2x2 pixels
        for conv in others:
            _pass(conv, [(PICTURE, 1.0)])
        if 0 < level < net.configuration.scales - 1:
            _pass(others[-1], [(PICTURE, 1.0)], output=BAND)  # a copy, to become the band
    entry, *blocks, end = bottleneck
    for conv in (entry, end):
        _pass(conv, [(PICTURE, 1.0)])
    for block in blocks:
        _silence(block.conv2, PICTURE)
    for level, (step, block) in enumerate(zip(decoder, restore, strict=False)):
        band = BAND if level else PICTURE  # of the finest picture nothing is needed but its band
        # The encoder's pair of x plus the opposite pair of the doubled coarser picture u is a pair of x - u.
        for first, sign in ((PICTURE, 0.0), (band, -1.0)):
            _double(step.up, first, sign)
            for refinement in step.blocks:
                _silence(refinement.conv2, first)
        _pass(block.residual[0], [(band, 1.0)])
        _pass(block.residual[1], [(PICTURE, 1.0)])
        for colour in range(3):  # LeakyReLU(-LeakyReLU(-x) / slope) = x
            block.residual[2].weight[colour, 2 * colour + 1] = -1 / SLOPE


def _mute(conv: nn.Conv2d | nn.ConvTranspose2d, first: int, count: int) -> None:
    """No weights and no bias for ``count`` outputs."""
    axis = 1 if isinstance(conv, nn.ConvTranspose2d) else 0
    conv.weight.narrow(axis, first, count).zero_()
    if conv.bias is not None:
        conv.bias[first : first + count].zero_()


def _silence(conv: nn.Conv2d, first: int) -> None:
    _mute(conv, first, PAIRS)


def _load(conv: nn.Conv2d, sources: list[tuple[int, float]]) -> None:
    """Make pairs of plain colours: each source is its first input channel and its weight."""
    _silence(conv, PICTURE)
    centre = conv.kernel_size[0] // 2
    for first, weight in sources:
        for colour in range(3):
            conv.weight[2 * colour, first + colour, centre, centre] = weight
            conv.weight[2 * colour + 1, first + colour, centre, centre] = -weight


def _pass(conv: nn.Conv2d, sources: list[tuple[int, float]], taps: slice | None = None, output: int = PICTURE) -> None:
    """Make pairs of pairs: each source is the first input channel of its pairs and its weight."""
    _silence(conv, output)
    centre = conv.kernel_size[0] // 2
    taps = taps or slice(centre, centre + 1)
    for first, weight in sources:
        for colour in range(3):
            for place, sign in ((output + 2 * colour, weight), (output + 2 * colour + 1, -weight)):
                conv.weight[place, first + 2 * colour, taps, taps] = sign / (1 + SLOPE)
                conv.weight[place, first + 2 * colour + 1, taps, taps] = -sign / (1 + SLOPE)


def _double(conv: nn.ConvTranspose2d, output: int, weight: float) -> None:
    """Pairs of the coarser picture, each pixel in 2x2, times a weight."""
    _mute(conv, output, PAIRS)
    taps = slice(1, 3)
    for colour in range(3):
        for place, sign in ((output + 2 * colour, weight), (output + 2 * colour + 1, -weight)):
            conv.weight[PICTURE + 2 * colour, place, taps, taps] = sign / (1 + SLOPE)
            conv.weight[PICTURE + 2 * colour + 1, place, taps, taps] = -sign / (1 + SLOPE)
