"""The network's inputs and weights, random, as its cases share them."""

import torch
from torch import Tensor

from lfdeblur_models import DRBNet
from lfdeblur_models.networks.official import official_tensors
from lfdeblur_models.networks.reference import random_weights

VIEWS = {"single": 1, "dual": 2}


def official_weights(kind: str, seed: int = 0) -> dict[str, Tensor]:
    """Random tensors under the published names."""
    with torch.device("meta"):
        net = DRBNet(VIEWS[kind])
    tensors = net.state_dict()
    return random_weights({theirs: tensors[ours].shape for ours, theirs in official_tensors(net).items()}, seed)


def pictures(views: int, height: int, width: int, seed: int = 1) -> dict[str, Tensor]:
    """What the network takes: ``[1, 3, H, W]`` in [-1, 1] by name."""
    generator = torch.Generator().manual_seed(seed)
    made = [torch.rand((1, 3, height, width), generator=generator) * 2 - 1 for _ in range(3)]
    return {"center": made[0]} if views == 1 else dict(zip(("center", "left", "right"), made, strict=True))
