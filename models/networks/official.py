"""Names of the published DRBNet checkpoints, and their translation to ours."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from .state_dicts import mismatch, shapes_of

WRAPPERS = ("state_dict", "params_ema", "params", "model", "model_state_dict", "network")
FIRST = "conv1_1.0.weight"  # its shape tells single view (3 inputs) from dual (6)


def official_name(layer: str) -> str:
    """The published name of a layer of our ``DRBNet``."""
    part, number, *inner = layer.split(".")
    place = int(number)
    if part == "encoder":
        return f"conv{place + 1}_{int(inner[0]) + 1}.0"
    if part == "bottleneck":
        return f"conv4_4.{place}.{_in_block(inner[0]) if inner else 0}"
    if part == "decoder":
        if inner[0] == "up":
            return f"upconv{place + 1}_u.0"
        return f"upconv{place + 1}_{int(inner[1]) + 1}.{_in_block(inner[2])}"
    branch, step = inner
    if branch == "image":
        return f"img_d{1 << place}_feature.{step}.0"
    if branch == "residual":
        return f"upconv{place}_res.{step}.0"
    return f"upconv{place}_kernel.2" if step == "2" else f"upconv{place}_kernel.{step}.0"  # the last has no activation


def _in_block(convolution: str) -> str:
    return {"conv1": "stem.0.0", "conv2": "stem.0.2"}[convolution]


def official_tensors(network: nn.Module) -> dict[str, str]:
    """The published name of each tensor of a ``DRBNet``, by ours."""
    names = {}
    for ours in network.state_dict():
        layer, _, kind = ours.rpartition(".")
        names[ours] = f"{official_name(layer)}.{kind}"
    return names


def published_tensors(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a published checkpoint under their bare names. Raises TypeError as ``from_official`` says."""
    return _strip_prefix(_unwrap(state_dict))


def views_of(tensors: Mapping[str, Tensor]) -> int:
    """1 or 2, by the first layer's inputs."""
    first = tensors.get(FIRST)
    return 2 if first is not None and first.dim() == 4 and first.shape[1] == 6 else 1


def renamed(tensors: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """A network's tensors out of published ones. Raises ValueError as ``from_official`` says."""
    names, shapes = official_tensors(network), shapes_of(network)
    faults = mismatch({names[ours]: shape for ours, shape in shapes.items()}, tensors)
    if faults:
        raise ValueError(f"state_dict: not a published DRBNet checkpoint; {faults}")
    return {ours: tensors[name] for ours, name in names.items()}


def _unwrap(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    while isinstance(state_dict, Mapping):
        inner = next((state_dict[w] for w in WRAPPERS if isinstance(state_dict.get(w), Mapping)), None)
        if inner is None:
            break
        state_dict = inner
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"state_dict: got {type(state_dict).__name__}, want a mapping of names to tensors")
    for key, value in state_dict.items():
        if not isinstance(key, str):
            raise TypeError(f"state_dict: got {key!r}, want names of tensors")
        if not isinstance(value, Tensor):
            raise TypeError(f"state_dict: got {type(value).__name__} for {key!r}, want a tensor")
    return dict(state_dict)


def _strip_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop what stands before the first layer's name (``module.`` of a data-parallel model, for example)."""
    prefix = next((key[: -len(FIRST)] for key in tensors if key.endswith("." + FIRST)), "")
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
