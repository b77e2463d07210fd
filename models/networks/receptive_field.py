"""How far the network sees: what a tile needs around it, told by the layers."""

import math
from typing import Protocol


class Pyramid(Protocol):
    """A network of DRBNet's layers, in whatever form it runs."""

    @property
    def scales(self) -> int: ...

    @property
    def kernel_size(self) -> int: ...


def multiple_of(network: Pyramid) -> int:
    """Pixels that the network pools into one, along each axis."""
    return 1 << (network.scales - 1)


def exact_overlap(network: Pyramid) -> int:
    """Pixels that a tile must see beyond its own part for results of the whole picture: the receptive field's radius.

    By arithmetic from the layers, over all positions within the pixels that the network pools, rounded up to these:
    144 for the paper's network.
    """
    multiple = multiple_of(network)
    reach = 0
    for pixel in range(multiple):
        low, high = _seen(network, 0, pixel, pixel)
        reach = max(reach, pixel - low, high - pixel)
    return math.ceil(reach / multiple) * multiple


def _seen(network: Pyramid, level: int, low: int, high: int) -> tuple[int, int]:
    """The pixels that decide the restored picture of a level from ``low`` to ``high``, along one axis."""

    def encoder(level: int, low: int, high: int) -> tuple[int, int]:
        low, high = low - 2, high + 2  # two convolutions, then the level's first
        return (low - 1, high + 1) if level == 0 else encoder(level - 1, 2 * low - 1, 2 * high + 1)

    def features(level: int, low: int, high: int) -> tuple[int, int]:
        if level == network.scales - 1:
            return encoder(level, low - 6, high + 6)
        low, high = low - 4, high + 4
        return _join(encoder(level, low, high), features(level + 1, -((2 - low) // 2), (high + 1) // 2))

    def image(low: int, high: int) -> tuple[int, int]:
        if level == network.scales - 1:
            return multiple_of(network) * low, multiple_of(network) * (high + 1) - 1
        return _seen(network, level + 1, low // 2, high // 2)

    radius = network.kernel_size // 2
    filtered = image(low - radius, high + radius)
    heads = _join(features(level, low - 2, high + 2), image(low - 5, high + 5))
    return _join(filtered, heads)


def _join(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return min(a[0], b[0]), max(a[1], b[1])
