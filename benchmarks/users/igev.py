"""Context upsampling of disparity, 4 times (IGEV-Stereo: Xu et al., CVPR 2023): weights at the larger size."""

import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter

from ._user import User, normal

SCALE = 4


def theirs(disparity: Tensor, weights: Tensor) -> Tensor:
    n, _, height, width = disparity.shape
    patches = F.unfold(disparity, 3, padding=1).view(n, 9, height, width)
    patches = F.interpolate(patches, (SCALE * height, SCALE * width), mode="nearest")
    return (patches * weights.softmax(1)).sum(1, keepdim=True)


def ours(disparity: Tensor, weights: Tensor) -> Tensor:
    return dynamic_filter(disparity, weights, 3, scale=SCALE, border="zeros", normalize="softmax")


def inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"disparity": normal(1, 1, height, width), "weights": normal(1, 9, SCALE * height, SCALE * width)}


USERS = (User("IGEV-Stereo, upsampling x4", "1x136x240, k=3, softmax", theirs, ours, inputs, (136, 240)),)
