"""A classifier's layers by name, run as far as the last one that is asked for."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..io.errors import LfdeblurError


class FeatureWeightsError(LfdeblurError, ValueError):
    """Weights of a feature network that are missing or do not fit; the message names the file and says why."""


class FeatureNetwork(nn.Module):
    """Feature maps of pictures at named layers; frozen.

    Args:
        name: of the network, for messages.
        stages: layers in order, by name; a stage's output is its feature map.
        layers: names of the feature maps that are wanted; later stages are dropped.
        mean, std: of the pictures the network was trained on, by channel, in units of white.
        bgr: the network takes blue first.

    Raises:
        ValueError: no such layer, or none.
    """

    def __init__(
        self,
        name: str,
        stages: Mapping[str, nn.Module],
        layers: Sequence[str],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        bgr: bool = False,
    ) -> None:
        super().__init__()
        for layer in layers:
            if layer not in stages:
                raise ValueError(f"layers: got {layer!r}, {name} has {', '.join(stages)}")
        if not layers:
            raise ValueError(f"layers: got none, {name} has {', '.join(stages)}")
        names = list(stages)
        last = max(names.index(layer) for layer in layers)
        self.name, self.layers, self.bgr = name, tuple(layers), bgr
        self.stages = nn.ModuleDict({stage: stages[stage] for stage in names[: last + 1]})
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """The wanted feature maps.

        Args:
            pictures: ``[N, 3, H, W]`` RGB in [0, 1], sRGB-encoded; at least 32 pixels along each side.

        Returns: ``[N, C, h, w]`` of each of ``layers``, in their order.
        """
        x = ((pictures.flip(1) if self.bgr else pictures) - self.mean) / self.std
        found: dict[str, Tensor] = {}
        for name, stage in self.stages.items():
            x = stage(x)
            if name in self.layers:
                found[name] = x
        return [found[layer] for layer in self.layers]

    def train(self, mode: bool = True) -> "FeatureNetwork":
        """Stays in evaluation mode, also inside a module that is trained."""
        return super().train(False)
