"""Distances between pictures in the space of features."""

import torch
from torch import Tensor, nn

from .network import FeatureNetwork


class FeatureLoss(nn.Module):
    """Mean absolute difference of feature maps, averaged over the layers (Johnson et al., ECCV 2016, with L1).

    The target's features are computed once and without gradient; nothing is kept of the graph for them.
    """

    def __init__(self, network: FeatureNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """``output`` and ``target`` ``[N, 3, H, W]`` in [0, 1], sRGB-encoded; a scalar."""
        with torch.no_grad():
            wanted = self.network(target)
        found = self.network(output)
        # In float32 also where the network runs in bfloat16: a mean of so many small values.
        parts = [(mine.float() - theirs.float()).abs().mean() for mine, theirs in zip(found, wanted, strict=True)]
        return torch.stack(parts).mean()


class FeatureDistance(nn.Module):
    """LPIPS's distance without its learned weights: squared difference of features of unit length, by picture.

    Averaged over positions and layers (Zhang et al., CVPR 2018, eq. 1 with w = 1); 0 for equal pictures, at most 4.
    """

    def __init__(self, network: FeatureNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """``[N, 3, H, W]`` in [0, 1], sRGB-encoded, to ``[N]``."""
        parts = []
        for mine, theirs in zip(self.network(first), self.network(second), strict=True):
            parts.append((unit(mine) - unit(theirs)).square().sum(1).mean((1, 2)))
        return torch.stack(parts).mean(0)


def unit(features: Tensor) -> Tensor:
    """Each pixel's channels ``[N, C, H, W]`` scaled to length 1."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)
