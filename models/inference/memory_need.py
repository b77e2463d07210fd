"""What a network needs for a picture, measured on small ones."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..system.memory import forget_peak, held, peak, trim

# Tiles (height, width) that a network is measured on. One that runs in bands of rows shows what grows with the picture
# only on tiles of several bands.
SQUARES, BANDS = ((64, 64), (256, 256)), ((384, 256), (768, 256))
_SPARE = 1.1  # for the allocator's fragments: seen up to 7 % over the straight line
# The published network in float32, where the system tells no peaks: measured on 1024 x 1024 and 720 x 1280 pixels.
_USUAL = 1300


@dataclass(frozen=True)
class Need:
    """Peak memory of one call of a network, beyond what was held before: ``fixed + per_pixel * pixels`` bytes."""

    fixed: float
    per_pixel: float

    def bytes(self, pixels: float) -> float:
        return self.fixed + self.per_pixel * pixels

    def pixels(self, bytes: float) -> float:
        """How many pixels fit."""
        return max(0.0, (bytes - self.fixed) / self.per_pixel)


def measure(
    call: Callable[[Tensor], Tensor],
    channels: int,
    device: torch.device,
    probes: tuple[tuple[int, int], tuple[int, int]] = SQUARES,
) -> Need:
    """What a network needs, from its peaks on two small tiles.

    Args:
        call: the network, from ``[1, channels, h, w]`` float32 on the CPU to its result.
        channels: of its input.
        device: where it runs.
        probes: heights and widths of the tiles, the smaller first.
    """
    peaks = []
    with torch.inference_mode():
        for size in (probes[0], *probes):  # the first call also sets up what stays
            peaks.append(_peak(lambda x: call(x), torch.zeros(1, channels, *size), device))
    small, large = peaks[1:]
    if small is None or large is None:
        return Need(0.0, _SPARE * _USUAL)
    least, most = (height * width for height, width in probes)
    slope = max(large - small, 1) / (most - least)
    return Need(max(0.0, small - slope * least), _SPARE * slope)


def _peak(call: Callable[[Tensor], Tensor], x: Tensor, device: torch.device) -> int | None:
    """Bytes at the peak of a call less those before; None where the system does not tell."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call(x)
        torch.cuda.synchronize(device)
        return int(torch.cuda.max_memory_allocated(device) - before)
    trim()
    if not forget_peak():
        return None
    before = held(device)
    call(x)
    return peak() - before
