"""Kernel prediction for bursts (Mildenhall et al., CVPR 2018): a kernel a frame, colour and pixel, tap-major."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter

from ._user import User, normal

SIZE = 5


def theirs(frames: Tensor, core: Tensor) -> Tensor:
    height, width = frames.shape[-2:]
    padded = F.pad(frames, (SIZE // 2,) * 4)
    shifted = [padded[..., i : i + height, j : j + width] for i in range(SIZE) for j in range(SIZE)]
    return (core * torch.stack(shifted, 2)).sum(2)


def ours(frames: Tensor, core: Tensor) -> Tensor:
    out = dynamic_filter(frames.flatten(0, 1), core.flatten(0, 1), SIZE, layout="taps_first", border="zeros")
    return out.unflatten(0, frames.shape[:2])


def inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"frames": normal(1, 8, 3, height, width), "core": normal(1, 8, SIZE**2, 3, height, width)}


USERS = (User("KPN", "8 frames 3x128x128, k=5, tap-major", theirs, ours, inputs, (128, 128)),)
