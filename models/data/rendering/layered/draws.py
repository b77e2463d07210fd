"""Random numbers that depend on their place alone: the same on every device, in any order and any batch."""

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor

_BITS = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9  # 2^32 over the golden ratio: steps of a Weyl sequence


class Draws:
    """Numbers for a batch of pairs; those of a pair depend on the seed, its number, and their name and shape.

    A Weyl sequence for each pair and name, mixed by the 32-bit finaliser ``lowbias32`` (C. Wellons, Hash Prospector).

    Args:
        seed: a whole number from 0 to 2^63 - 1.
        numbers: of the pairs, ``[B]`` int64, each >= 0; the numbers drawn are on its device.
    """

    def __init__(self, seed: int, numbers: Tensor) -> None:
        key = torch.full_like(numbers, _mixed_number(seed & _BITS) ^ _mixed_number((seed >> 32) + 1))
        self.key = _mixed(_mixed(key ^ (numbers & _BITS)) + (numbers >> 32))

    def to(self, device: torch.device | str) -> "Draws":
        """The same draws on another device."""
        there = Draws.__new__(Draws)
        there.key = self.key.to(device)
        return there

    def uniform(self, name: str, *shape: int) -> Tensor:
        """``[B, *shape]`` float32, evenly spread within (0, 1)."""
        return _unit(self._bits(name, shape))

    def between(self, name: str, low: float, high: float, *shape: int) -> Tensor:
        """``[B, *shape]`` float32, evenly spread from ``low`` to ``high``."""
        return low + (high - low) * self.uniform(name, *shape)

    def log_between(self, name: str, low: float, high: float, *shape: int) -> Tensor:
        """``[B, *shape]`` float32 whose logarithm is evenly spread from that of ``low`` to that of ``high``."""
        return low * (high / low) ** self.uniform(name, *shape)

    def happens(self, name: str, chance: float, *shape: int) -> Tensor:
        """``[B, *shape]`` bool, each true with this chance."""
        return self.uniform(name, *shape) < chance

    def below(self, name: str, count: int, *shape: int) -> Tensor:
        """``[B, *shape]`` int64 from 0 to ``count - 1``, ``count`` up to 2^31."""
        return (self._bits(name, shape) * count) >> 32

    def normal(self, name: str, *shape: int) -> Tensor:
        """``[B, *shape]`` float32, normally distributed with deviation 1 (Box and Muller 1958)."""
        radius = (-2 * _unit(self._bits(name, shape)).log()).sqrt_()
        return radius * (_unit(self._bits(name + "'", shape)) * (2 * torch.pi)).cos_()

    def _bits(self, name: str, shape: Sequence[int]) -> Tensor:
        count = 1
        for side in shape:
            count *= side
        start = _mixed(self.key ^ zlib.crc32(name.encode()))
        steps = torch.arange(count, device=start.device) * _GOLDEN
        return _mixed((start[:, None] + steps) & _BITS).view(-1, *shape)


def _unit(bits: Tensor) -> Tensor:
    # 24 bits are what a float32 holds; half a step up, so that its logarithm is finite.
    return ((bits >> 8).float() + 0.5) * 2.0**-24


def _mixed(x: Tensor) -> Tensor:
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & _BITS
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & _BITS
    return x ^ (x >> 16)


def _mixed_number(x: int) -> int:
    return int(_mixed(torch.tensor(x & _BITS)))
