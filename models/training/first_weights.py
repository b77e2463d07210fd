"""Networks to start from, and weights out of checkpoints."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..networks import DRBNet
from ..networks.configuration import Configuration
from ..networks.weights import WeightsError, load_network
from .config import NetworkConfig

# Prefixes in a checkpoint's state dict. The first one is of older checkpoints: beside it NETWORK held what was trained.
AVERAGE, NETWORK = "average.module.", "network."


def start_network(config: NetworkConfig, seed: int) -> DRBNet:
    """The network of a recipe with its first weights.

    Raises: WeightsError: the file to start from is missing, damaged, or of another network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = DRBNet(**{field.name: getattr(config, field.name) for field in fields(Configuration)})
        if config.start == "identity":
            _start_as_identity(network, config.start_noise)
        elif config.start != "random":
            _load(network, Path(config.start))
    return network


def _start_as_identity(network: DRBNet, noise: float) -> None:
    """Identity, its silenced weights moved a little off 0, so that what lies before them has gradients at once."""
    usual = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    network.identity_()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if noise and parameter.requires_grad and parameter.dim() > 1:
                parameter.add_(torch.where(parameter == 0, noise * usual[name], 0))


def _load(network: DRBNet, path: Path) -> None:
    state = checkpoint_weights(path) if path.suffix == ".ckpt" else load_network(path).state_dict()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path}: not weights of the recipe's network: {error}") from error


def checkpoint_weights(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint, or the plain ones where none were averaged.

    Raises: WeightsError: missing, damaged, or no checkpoint of ``lfdeblur train``.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    except Exception as error:  # unpicklers raise anything on damaged files
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path}: not a readable checkpoint ({reason})") from error
    found = weights_of(state)
    if not found:
        raise WeightsError(f"{path}: a checkpoint without weights of DRBNet")
    return found


def weights_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's tensors in a checkpoint's state dict, averaged where there is an average."""
    prefix = AVERAGE if any(name.startswith(AVERAGE) for name in state) else NETWORK
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
