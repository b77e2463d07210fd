"""Weights with which a DRBNet returns its input.

A value ``x`` passes a LeakyReLU as two channels ``a = LeakyReLU(x)``, ``b = LeakyReLU(-x)``: ``x = (a - b) / 1.1``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from .drbnet import DRBNet

SLOPE = 0.1
PAIRS = 6  # channels 2c and 2c + 1 hold colour c and its negative


def start_as_identity(net: DRBNet) -> None:
    """See ``DRBNet.identity_``."""
    if net.scales > 1 and net.width < PAIRS:
        raise ValueError(f"identity_: the network has width={net.width}, want at least {PAIRS}")
    with torch.no_grad():
        blocks: Any = net.restore
        for block in blocks:
            for head in (block.filters, block.residual):
                _silence(head[-1], head[-1].out_channels)
        if net.scales > 1:  # with one scale the picture path already starts from the input
            _carry_detail(net)


def _carry_detail(net: DRBNet) -> None:
    entry: Any = net.encoder[0]
    level: Any = net.decoder[0]
    finest: Any = net.restore[0]

    first, *others = entry
    _load(first, [(0, 1.0)] if net.views == 1 else [(0, 0.5), (3, 0.5)])
    for conv in others:
        _pass(conv, [(0, 1.0)])
    level.up.weight[:, :PAIRS].zero_()
    level.up.bias[:PAIRS].zero_()
    for block in level.blocks:
        _silence(block.conv2, PAIRS)

    _load(finest.image[0], [(0, 1.0)])
    for conv in finest.image[1:]:
        _pass(conv, [(0, 1.0)])
    _pass(finest.residual[0], [(0, 1.0), (net.width, -1.0)])  # the encoder's picture minus the one from coarser scales
    _pass(finest.residual[1], [(0, 1.0)])
    for colour in range(3):  # LeakyReLU(-LeakyReLU(-x) / slope) = x
        finest.residual[2].weight[colour, 2 * colour + 1] = -1 / SLOPE


def _silence(conv: nn.Conv2d, outputs: int) -> None:
    conv.weight[:outputs].zero_()
    if conv.bias is not None:
        conv.bias[:outputs].zero_()


def _load(conv: nn.Conv2d, sources: list[tuple[int, float]]) -> None:
    """Make pairs of plain colours: each source is its first input channel and its weight."""
    _silence(conv, PAIRS)
    centre = conv.kernel_size[0] // 2
    for start, weight in sources:
        for colour in range(3):
            conv.weight[2 * colour, start + colour, centre, centre] = weight
            conv.weight[2 * colour + 1, start + colour, centre, centre] = -weight


def _pass(conv: nn.Conv2d, sources: list[tuple[int, float]]) -> None:
    """Make pairs of pairs: each source is the first input channel of its pairs and its weight."""
    _silence(conv, PAIRS)
    centre = conv.kernel_size[0] // 2
    for start, weight in sources:
        for colour in range(3):
            for output, sign in ((2 * colour, weight), (2 * colour + 1, -weight)):
                conv.weight[output, start + 2 * colour, centre, centre] = sign / (1 + SLOPE)
                conv.weight[output, start + 2 * colour + 1, centre, centre] = -sign / (1 + SLOPE)
