"""Networks with a part left out, to measure what the part is worth."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .drbnet import DRBNet

VARIANTS = ("full", "no-dynamic-filter", "no-residual", "single-scale")


class SingleScale(DRBNet):
    """DRBNet that restores at the finest scale only: one dynamic residual block, applied to the input itself.

    Encoder and decoder are those of the whole network; the blocks of coarser scales are not there.
    """

    def __init__(self, views: int = 1, *, width: int = 32, kernel_size: int = 7, scales: int = 4) -> None:
        super().__init__(views, width=width, kernel_size=kernel_size, scales=scales)
        self.restore = nn.ModuleList([self.restore[0]])

    def forward(self, center: Tensor, left: Tensor | None = None, right: Tensor | None = None) -> Tensor:
        """As ``DRBNet.forward``; H and W are padded by replication."""
        self._check(center, left, right)
        height, width = center.shape[-2:]
        multiple = 1 << (self.scales - 1)
        pad = (0, -width % multiple, 0, -height % multiple)
        center = F.pad(center, pad, mode="replicate")
        features = center
        if left is not None and right is not None:
            features = torch.cat([F.pad(view, pad, mode="replicate") for view in (right, left)], 1)
        features = self._rounded(features)
        skips: list[Tensor] = []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        skips.pop()
        features = self.bottleneck(features)
        for level in reversed(range(self.scales - 1)):
            features = self.decoder[level](features, skips.pop())
        return self.restore[0](center, features)[..., :height, :width].clamp(-1, 1)


def build_variant(variant: str, views: int = 1, *, width: int = 32, kernel_size: int = 7, scales: int = 4) -> DRBNet:
    """A network to train.

    Args:
        variant: ``full``; ``no-dynamic-filter`` or ``no-residual``: the last layer of that branch is 0 and stays so,
            which is the network without the branch; ``single-scale``.
        views, width, kernel_size, scales: as ``DRBNet`` takes them.

    Raises: ValueError: no such variant, or as ``DRBNet``.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant: got {variant!r}, want one of {', '.join(VARIANTS)}")
    kind = SingleScale if variant == "single-scale" else DRBNet
    network = kind(views, width=width, kernel_size=kernel_size, scales=scales)
    branch = {"no-dynamic-filter": "filters", "no-residual": "residual"}.get(variant)
    if branch is not None:
        blocks: Any = network.restore
        for block in blocks:
            last = getattr(block, branch)[-1]
            for parameter in last.parameters():
                nn.init.zeros_(parameter).requires_grad_(False)
    return network
