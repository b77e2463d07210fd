"""LPIPS on AlexNet (Zhang et al., CVPR 2018) and its shift-tolerant kin (Ghildyal and Liu, ECCV 2022)."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..features.distance import unit
from ..features.network import FeatureWeightsError
from ..features.weights import read_state

LINEAR = Path(__file__).parent.parent / "assets" / "lpips-alex" / "linear.safetensors"
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in [-1, 1]
CONVOLUTIONS = ("0", "3", "6", "8", "10")  # of AlexNet, by index in torchvision's ``features``
SHAPES = ((64, 3, 11, 11), (192, 64, 5, 5), (384, 192, 3, 3), (256, 384, 3, 3), (256, 256, 3, 3))
PADDING = (2, 2, 1, 1, 1)


class Lpips(nn.Module):
    """LPIPS 0.1 with AlexNet: the numbers of the package ``lpips`` 0.1.4, ``net="alex"``.

    Args:
        weights: torchvision's AlexNet checkpoint (``alexnet-owt-7be5be79.pth``). The learned weights of the channels
            ship with lfdeblur.

    Raises:
        FeatureWeightsError: the file is missing or holds something else.
    """

    def __init__(self, weights: str | Path) -> None:
        super().__init__()
        state = read_state(weights)
        names = [f"features.{index}." for index in CONVOLUTIONS]
        _hold(self, weights, state, names, read_state(LINEAR), "linear{}")

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """``[N, 3, H, W]`` in [0, 1], sRGB-encoded, at least 64 pixels along each side, to ``[N]``."""
        return _distance(self, self._features, first, second)

    def _features(self, x: Tensor) -> list[Tensor]:
        found = []
        for index, padding in enumerate(PADDING):
            if index in (1, 2):
                x = F.max_pool2d(x, 3, 2)
            x = _convolve(self, x, index, padding, stride=4 if index == 0 else 1).relu()
            found.append(x)
        return found


class ShiftTolerantLpips(nn.Module):
    """ST-LPIPS with AlexNet, from the weights in the package ``stlpips_pytorch`` (for non-commercial use).

    The package's own code needs torchvision to be imported; only its weights are read here.

    Raises:
        FeatureWeightsError: the package is not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        spec = find_spec("stlpips_pytorch")
        if spec is None or not spec.submodule_search_locations:
            raise FeatureWeightsError("ST-LPIPS: needs the package stlpips_pytorch")
        file = Path(spec.submodule_search_locations[0]) / "weights" / "vST0.0" / "alex_shift_tolerant.pth"
        state = read_state(file)
        names = [f"net.{name}." for name in ("slice1.0", "slice2.5", "slice3.9", "slice4.11", "slice5.13")]
        _hold(self, file, state, names, state, "lin{}.model.1.weight")

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """``[N, 3, H, W]`` in [0, 1], sRGB-encoded, at least 64 pixels along each side, to ``[N]``."""
        return _distance(self, self._features, first, second)

    def _features(self, x: Tensor) -> list[Tensor]:
        found = []
        for index, padding in enumerate(PADDING):
            if index in (1, 2):
                x = _blur_half(F.max_pool2d(x, 3, 1))
            x = _convolve(self, x, index, padding)
            x = (_blur_half(x) if index == 0 else x).relu()
            found.append(x)
        return found


def _hold(
    module: nn.Module, file: str | Path, state: dict[str, Tensor], names: list[str], linear: dict[str, Tensor], key: str
) -> None:
    try:
        for index, (name, shape) in enumerate(zip(names, SHAPES, strict=True)):
            weight = state[name + "weight"].float()
            if weight.shape != shape:
                raise FeatureWeightsError(
                    f"{file}: not AlexNet's weights: {name}weight: got shape {list(weight.shape)}, want {list(shape)}"
                )
            module.register_buffer(f"weight{index}", weight, persistent=False)
            module.register_buffer(f"bias{index}", state[name + "bias"].float(), persistent=False)
            module.register_buffer(f"linear{index}", linear[key.format(index)].float().flatten(), persistent=False)
    except KeyError as error:
        raise FeatureWeightsError(f"{file}: not AlexNet's weights: no {error}") from error
    module.register_buffer("shift", torch.tensor(SHIFT).view(3, 1, 1), persistent=False)
    module.register_buffer("scale", torch.tensor(SCALE).view(3, 1, 1), persistent=False)


def _convolve(module: Any, x: Tensor, index: int, padding: int, stride: int = 1) -> Tensor:
    return F.conv2d(x, getattr(module, f"weight{index}"), getattr(module, f"bias{index}"), stride, padding)


def _distance(module: Any, features: Callable[[Tensor], list[Tensor]], first: Tensor, second: Tensor) -> Tensor:
    total = first.new_zeros(first.shape[0])
    maps = [features((picture * 2 - 1 - module.shift) / module.scale) for picture in (first, second)]
    for index, (mine, theirs) in enumerate(zip(*maps, strict=True)):
        weights = getattr(module, f"linear{index}").view(-1, 1, 1)
        total = total + ((unit(mine) - unit(theirs)).square() * weights).sum(1).mean((1, 2))
    return total


def _blur_half(x: Tensor) -> Tensor:
    """Half the size after the binomial filter of 3x3, two reflected pixels on each side (Zhang, ICML 2019)."""
    taps = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype, device=x.device)
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=x.shape[1])
