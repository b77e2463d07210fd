"""Convolutional spatial propagation (CSPN: Cheng et al., ECCV 2018), one step as PENet (Hu et al., ICRA 2021) has it:
the depth so far is filtered, but for the pixel itself, whose first depth counts."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import dynamic_filter

from ._user import User, normal


def theirs(kernel: Tensor, depth: Tensor, first: Tensor, size: int) -> Tensor:
    n, _, height, width = depth.shape
    patches = F.unfold(depth, size, padding=size // 2)
    middle = size**2 // 2
    patches[:, middle : middle + 1] = first.view(n, 1, height * width)
    return torch.einsum("ntp,ntp->np", patches, kernel.view(n, size**2, height * width)).view(n, 1, height, width)


def ours(kernel: Tensor, depth: Tensor, first: Tensor, size: int) -> Tensor:
    middle = size**2 // 2
    itself = kernel[:, middle : middle + 1] * (first - depth)
    return dynamic_filter(depth, kernel, size, border="zeros", bias=itself)


def inputs(height: int, width: int, size: int) -> dict[str, Tensor]:
    kernel = normal(1, size**2, height, width)
    return {"kernel": kernel, "depth": normal(1, 1, height, width), "first": normal(1, 1, height, width)}


USERS = tuple(
    User(
        f"PENet, CSPN k={size}",
        f"1x352x1216, k={size}",
        partial(theirs, size=size),
        partial(ours, size=size),
        partial(inputs, size=size),
        (352, 1216),
    )
    for size in (3, 7)
)
