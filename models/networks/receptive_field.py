"""How far the network sees: what a tile needs around it, told by the layers."""

import math
from typing import Any, Protocol

from torch import nn

from .blocks import Layers

Range = tuple[int, int]  # the first and the last pixel, along one axis


class Bounded(Protocol):
    """A network in whatever form it runs."""

    @property
    def receptive_radius(self) -> int: ...


def exact_overlap(network: Bounded) -> int:
    """Pixels that a tile must see beyond its own part for results of the whole picture: the receptive field's radius.

    By arithmetic from the layers, over all positions within the pixels that the network pools, rounded up to these:
    144 for the paper's network.
    """
    return network.receptive_radius


def receptive_radius(network: Layers) -> int:
    """See ``DRBNet.receptive_radius``."""
    multiple = network.configuration.multiple
    reach = 0
    for pixel in range(multiple):
        low, high = _restored(network, 0, (pixel, pixel))
        reach = max(reach, pixel - low, high - pixel)
    return math.ceil(reach / multiple) * multiple


def _restored(network: Layers, level: int, wanted: Range) -> Range:
    """The picture's pixels that decide the restored one of a level."""
    restore: Any = network.restore[level]
    filtered = _image(network, level, _wider(wanted, restore.kernel_size // 2))
    heads = _wider(wanted, max(_radius(restore.filters), _radius(restore.residual)))
    from_image = _image(network, level, _wider(heads, _radius(restore.image)))
    return _join(filtered, _join(_features(network, level, heads), from_image))


def _image(network: Layers, level: int, wanted: Range) -> Range:
    """Those that decide the picture that a level is given to restore."""
    low, high = wanted
    if level < len(network.restore) - 1:  # the coarser one, doubled
        return _restored(network, level + 1, (low // 2, high // 2))
    return low << level, (high + 1 << level) - 1  # the mean over so many pixels


def _features(network: Layers, level: int, wanted: Range) -> Range:
    """Those that decide what a level's block is given beside its picture."""
    if level == len(network.decoder):
        return _encoded(network, level, _wider(wanted, _radius(network.bottleneck)))
    step: Any = network.decoder[level]
    low, high = _wider(wanted, _radius(step.blocks))
    coarser = -((2 - low) // 2), (high + 1) // 2  # of the transposed convolution, 4 wide with a step of 2
    return _join(_encoded(network, level, (low, high)), _features(network, level + 1, coarser))


def _encoded(network: Layers, level: int, wanted: Range) -> Range:
    """Those that decide the encoder's features of a level."""
    stage: Any = network.encoder[level]
    first, *others = stage
    low, high = _wider(wanted, sum(_radius(layer) for layer in others))
    stride, radius = first.stride[0], _radius(first)
    before = stride * low - radius, stride * high + radius
    return before if level == 0 else _encoded(network, level - 1, before)


def _radius(layers: nn.Module) -> int:
    """Pixels that convolutions one after the other, each with a step of 1, see to each side."""
    return sum(layer.kernel_size[0] // 2 for layer in layers.modules() if isinstance(layer, nn.Conv2d))


def _wider(wanted: Range, radius: int) -> Range:
    return wanted[0] - radius, wanted[1] + radius


def _join(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), max(a[1], b[1])
