"""Dynamic upsampling filters, 4 times as large (DUF: Jo et al., CVPR 2018): filters ``[N, 25, 16, H, W]``."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter

from ._user import User, normal

SIZE, SCALE = 5, 4


def theirs(x: Tensor, filters: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    one_hot = torch.eye(SIZE**2, dtype=x.dtype).view(SIZE**2, 1, SIZE, SIZE).repeat(channels, 1, 1, 1)
    patches = F.conv2d(x, one_hot, padding=SIZE // 2, groups=channels).view(n, channels, SIZE**2, height, width)
    fine = patches.permute(0, 3, 4, 1, 2) @ filters.softmax(1).permute(0, 3, 4, 1, 2)  # [N, H, W, C, 16]
    return F.pixel_shuffle(fine.permute(0, 3, 4, 1, 2).flatten(1, 2), SCALE)


def ours(x: Tensor, filters: Tensor) -> Tensor:
    return dynamic_filter(x, filters, SIZE, scale=SCALE, layout="taps_first", border="zeros", normalize="softmax")


def inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"x": normal(1, 3, height, width), "filters": normal(1, SIZE**2, SCALE**2, height, width)}


USERS = (User("DUF, x4", "3x144x180, k=5, softmax", theirs, ours, inputs, (144, 180)),)
