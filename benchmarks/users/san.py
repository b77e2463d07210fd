"""Pairwise self-attention (SAN: Zhao et al., CVPR 2020): weights that every eighth channel shares, reflected border."""

import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter

from ._user import User, normal

SIZE, SHARE = 7, 8


def theirs(x: Tensor, weight: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    patches = F.unfold(F.pad(x, (SIZE // 2,) * 4, mode="reflect"), SIZE)
    patches = patches.view(n, SHARE, channels // SHARE, SIZE**2, height * width)
    return (weight.softmax(-2)[:, None] * patches).sum(-2).view(n, channels, height, width)


def ours(x: Tensor, weight: Tensor) -> Tensor:
    weight = weight.unflatten(-1, x.shape[-2:])
    return dynamic_filter(x, weight, SIZE, interleaved=True, border="reflect", normalize="softmax")


def inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"x": normal(2, 64, height, width), "weight": normal(2, 64 // SHARE, SIZE**2, height * width)}


USERS = (User("SAN, reflect", "2x64x56x56, k=7, channel c has group c % 8, softmax", theirs, ours, inputs, (56, 56)),)
