"""Kernel-predicting denoiser of renderings (KPCN: Bako et al., SIGGRAPH 2017)."""

import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter

from ._user import User, normal

SIZE = 21


def theirs(data: Tensor, weights: Tensor) -> Tensor:
    n, channels, height, width = data.shape
    patches = F.unfold(F.pad(data, (SIZE // 2,) * 4, mode="reflect"), SIZE)
    patches = patches.view(n, channels, SIZE**2, height, width)
    return (patches * weights.softmax(1)[:, None]).sum(2)


def ours(data: Tensor, weights: Tensor) -> Tensor:
    return dynamic_filter(data, weights, SIZE, border="reflect", normalize="softmax")


def inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"data": normal(1, 3, height, width), "weights": normal(1, SIZE**2, height, width)}


USERS = (User("KPCN", "3x128x128, k=21, softmax, reflect", theirs, ours, inputs, (128, 128), tiny=(12, 13)),)
