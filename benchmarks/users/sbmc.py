"""Kernel weighting of sample-based denoising (Gharbi et al., SIGGRAPH 2019): the weighted sum, and the weights' sum."""

import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import KernelWeighting

from ._user import User, normal

SIZE = 21


def theirs(data: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    n, channels, height, width = data.shape
    weights = weights.view(n, SIZE**2, height, width)
    patches = F.unfold(data, SIZE, padding=SIZE // 2).view(n, channels, SIZE**2, height, width)
    return (patches * weights[:, None]).sum(2), weights.sum(1)


LAYER = KernelWeighting()


def ours(data: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    return LAYER(data, weights)


def inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"data": normal(1, 3, height, width), "weights": normal(1, SIZE, SIZE, height, width)}


USERS = (User("sbmc, KernelWeighting", "3x128x128, k=21, and the sum of weights", theirs, ours, inputs, (128, 128)),)
