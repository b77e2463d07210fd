"""Separable kernels a pixel (SepConv: Niklaus et al., ICCV 2017), 51 taps down and 51 across."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter_separable

from ._user import User, normal

SIZE = 51


def theirs(x: Tensor, kernels: Tensor) -> Tensor:
    down, across = kernels.split(SIZE, 1)
    patches = F.pad(x, (SIZE // 2,) * 4, mode="replicate").unfold(2, SIZE, 1).unfold(3, SIZE, 1)
    return torch.einsum("nchwij,nihw,njhw->nchw", patches, down, across)


def ours(x: Tensor, kernels: Tensor) -> Tensor:
    return dynamic_filter_separable(x, kernels, SIZE)


def inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"x": normal(1, 3, height, width), "kernels": normal(1, 2 * SIZE, height, width)}


USERS = (User("SepConv", "3x128x128, k=51, separable", theirs, ours, inputs, (128, 128)),)
