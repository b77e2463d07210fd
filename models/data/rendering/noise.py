"""Sensor noise: Poisson photons and Gaussian read-out, added to linear light."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Noise:
    """Poisson-Gaussian noise (Foi et al., IEEE TIP 2008): the variance at light ``x`` is ``shot * x + read ** 2``.

    Attributes:
        shot: light of one photo-electron, 1 / full-well capacity; 0: no photon noise.
        read: standard deviation of the read-out, in units of white.
    """

    shot: float = 0.0
    read: float = 0.0

    def __post_init__(self) -> None:
        for name in ("shot", "read"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value <= 1):
                raise ValueError(f"noise: got {name} = {value}, want a number from 0 to 1, in units of white")

    def add(self, light: Tensor, generator: torch.Generator, share: Tensor | float = 1.0) -> Tensor:
        """A noisy exposure.

        Args:
            light: linear light, any shape, floating point; not below 0.
            generator: on the device of ``light``; the same state gives the same noise.
            share: part of the light that falls on this sensor, broadcast against ``light``: half a dual-pixel sensor
                has fewer photons behind the same value, and its read-out is louder once brought to full scale.

        Returns: the shape and dtype of ``light``; values may leave [0, 1].
        """
        if self.shot > 0:
            quantum = self.shot / share
            light = torch.poisson(light.clamp_min(0) / quantum, generator=generator) * quantum
        if self.read > 0:
            grain = torch.randn(light.shape, generator=generator, dtype=light.dtype, device=light.device)
            light = light + grain * (self.read / share)
        return light

    def __str__(self) -> str:
        return f"{self.shot:g}:{self.read:g}"


def parse_noise(text: str) -> Noise:
    """Read ``SHOT:READ``, for example ``0.001:0.002``. Raises ValueError for anything else."""
    try:
        shot, read = (float(number) for number in text.split(":"))
    except ValueError:
        raise ValueError(f"noise: got {text!r}, want SHOT:READ in units of white, for example 0.001:0.002") from None
    return Noise(shot, read)
