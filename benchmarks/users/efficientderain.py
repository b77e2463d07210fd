"""Pixel-wise dilation filtering (EfficientDeRain: Guo et al., AAAI 2021): one core, applied at several dilations."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter

from ._user import User, normal

SIZE = 3


def theirs(frames: Tensor, core: Tensor, rate: int) -> Tensor:
    height, width = frames.shape[-2:]
    padded = F.pad(frames, (rate * (SIZE // 2),) * 4)
    rows, columns = ([slice(rate * i, rate * i + size) for i in range(SIZE)] for size in (height, width))
    shifted = torch.stack([padded[..., row, column] for row in rows for column in columns], 2)
    return (core * shifted).sum(2)


def ours(frames: Tensor, core: Tensor, rate: int) -> Tensor:
    out = dynamic_filter(
        frames.flatten(0, 1), core.flatten(0, 1), SIZE, dilation=rate, layout="taps_first", border="zeros"
    )
    return out.unflatten(0, frames.shape[:2])


def inputs(height: int, width: int, pictures: int) -> dict[str, Tensor]:
    return {
        "frames": normal(pictures, 1, 3, height, width),
        "core": normal(pictures, 1, SIZE**2, 3, height, width),
    }


USERS = tuple(
    User(
        f"EfficientDeRain, dilation {rate}, {what}",
        f"{pictures}x3x{size}x{size}, k=3, tap-major",
        partial(theirs, rate=rate),
        partial(ours, rate=rate),
        partial(inputs, pictures=pictures),
        (size, size),
    )
    for what, pictures, size in (("training", 16, 256), ("one picture", 1, 512))
    for rate in (2, 4)
)
