"""Convex upsampling of optical flow, 8 times (RAFT: Teed and Deng, ECCV 2020)."""

import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import ConvexUpsample

from ._user import User, normal


def theirs(flow: Tensor, mask: Tensor) -> Tensor:
    n, channels, height, width = flow.shape
    weights = mask.view(n, 1, 9, 8, 8, height, width).softmax(2)
    patches = F.unfold(8 * flow, 3, padding=1).view(n, channels, 9, 1, 1, height, width)
    fine = (weights * patches).sum(2)  # [N, C, 8, 8, H, W]
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(n, channels, 8 * height, 8 * width)


LAYER = ConvexUpsample(8)


def ours(flow: Tensor, mask: Tensor) -> Tensor:
    return LAYER(flow, mask)


def inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"flow": normal(1, 2, height, width), "mask": normal(1, 9 * 64, height, width)}


USERS = (User("RAFT, upsampling x8", "2x55x128, k=3, softmax", theirs, ours, inputs, (55, 128)),)
