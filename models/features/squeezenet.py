"""SqueezeNet 1.1 (Iandola et al., arXiv 1602.07360), with weights that ship in the package."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

WEIGHTS = Path(__file__).parent.parent / "assets" / "squeezenet11" / "features.safetensors"
# Means of the Caffe models: 8-bit values, blue first, no division.
MEAN, STD = tuple(m / 255 for m in (103.939, 116.779, 123.68)), (1 / 255,) * 3
# Fire modules by their index in torchvision's ``features``: inputs, squeezed channels, channels of each expansion.
FIRES = {
    3: (64, 16, 64),
    4: (128, 16, 64),
    6: (128, 32, 128),
    7: (256, 32, 128),
    9: (256, 48, 192),
    10: (384, 48, 192),
    11: (384, 64, 256),
    12: (512, 64, 256),
}
POOLED = (3, 6, 9)  # those that a max-pool comes before


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 convolutions side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu()


def stages(state: Mapping[str, Tensor]) -> dict[str, nn.Module]:
    """``conv1``, ``fire2`` to ``fire9``, with the weights of a state dict named as torchvision's ``squeezenet1_1``."""
    first = nn.Conv2d(3, 64, 3, stride=2)
    _load(first, state, "features.0.")
    out: dict[str, nn.Module] = {"conv1": nn.Sequential(first, nn.ReLU())}
    for number, (index, sizes) in enumerate(FIRES.items(), 2):
        fire = Fire(*sizes)
        _load(fire, state, f"features.{index}.")
        pool = [nn.MaxPool2d(3, 2, ceil_mode=True)] if index in POOLED else []
        out[f"fire{number}"] = nn.Sequential(*pool, fire)
    return out


def _load(module: nn.Module, state: Mapping[str, Tensor], prefix: str) -> None:
    own = {name[len(prefix) :]: tensor.float() for name, tensor in state.items() if name.startswith(prefix)}
    module.load_state_dict(own)
