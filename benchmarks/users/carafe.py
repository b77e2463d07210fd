"""Reassembly of features, twice as large (CARAFE: Wang et al., ICCV 2019), of kernels that are predicted already."""

import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter

from ._user import User, normal

SIZE, SCALE = 5, 2


def theirs(features: Tensor, mask: Tensor) -> Tensor:
    n, channels, height, width = features.shape
    taps = F.pixel_shuffle(mask, SCALE).softmax(1)
    patches = F.unfold(features, SIZE, padding=SIZE // 2).view(n, channels * SIZE**2, height, width)
    patches = F.interpolate(patches, scale_factor=SCALE, mode="nearest")
    return (patches.view(n, channels, SIZE**2, SCALE * height, SCALE * width) * taps[:, None]).sum(2)


def ours(features: Tensor, mask: Tensor) -> Tensor:
    return dynamic_filter(features, mask, SIZE, scale=SCALE, border="zeros", normalize="softmax")


def inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"features": normal(1, 256, height, width), "mask": normal(1, SIZE**2 * SCALE**2, height, width)}


USERS = (User("CARAFE, x2", "256x50x84, k=5, softmax", theirs, ours, inputs, (50, 84)),)
