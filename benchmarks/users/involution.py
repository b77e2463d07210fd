"""Involution (Li et al., CVPR 2021), of kernels that are predicted already: 16 channels share one."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter

from ._user import User, normal

SIZE, GROUP = 7, 16


def theirs(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    n, groups, _, height, width = weight.shape
    patches = F.unfold(x, SIZE, padding=SIZE // 2, stride=stride).view(n, groups, GROUP, SIZE**2, height, width)
    return (weight[:, :, None] * patches).sum(3).view(n, groups * GROUP, height, width)


def ours(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    return dynamic_filter(x, weight, SIZE, stride=stride, border="zeros")


def inputs(height: int, width: int, channels: int, stride: int) -> dict[str, Tensor]:
    positions = ((height - 1) // stride + 1, (width - 1) // stride + 1)
    return {"x": normal(4, channels, height, width), "weight": normal(4, channels // GROUP, SIZE**2, *positions)}


USERS = tuple(
    User(
        f"involution, stride {stride}",
        f"4x{channels}x56x56, k=7, {channels // GROUP} groups",
        partial(theirs, stride=stride),
        partial(ours, stride=stride),
        partial(inputs, channels=channels, stride=stride),
        (56, 56),
    )
    for stride, channels in ((1, 64), (2, 128))
)
