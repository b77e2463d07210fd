"""Deblurring of pictures with DRBNet: weights from a file, pictures of any depth."""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .networks import DRBNet


class WeightsError(ValueError):
    """A weights file that cannot be used; the message names it and says why."""


def untrained_network() -> DRBNet:
    """A single-view DRBNet that starts as the identity: it returns its input."""
    return DRBNet().identity_().eval()


def load_network(path: str | Path) -> DRBNet:
    """A network with the weights of a file.

    Args:
        path: a published checkpoint (``.pth``), or a state dict of ``DRBNet`` saved with ``torch.save`` (``.pt``,
            ``.pth``) or as ``.safetensors`` (needs the package safetensors). Pickled code in it is never run.

    Returns: the network, single or dual view, in evaluation mode on the CPU.

    Raises:
        WeightsError: the file is missing or damaged, or its tensors do not fit the network.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such file of weights")
    state = _read(path)
    try:
        return (_from_own(state) if "encoder.0.0.weight" in state else DRBNet.from_official(state)).eval()
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: not weights of DRBNet: {error}") from error


def deblur(network: DRBNet, picture: Tensor) -> Tensor:
    """Deblur one picture.

    Args:
        network: single view, in evaluation mode.
        picture: ``[C, H, W]``, C = 1 or 3, any H and W; floating point in [0, 1], sRGB-encoded.

    Returns: ``[C, H, W]`` float32 in [0, 1] on the picture's device; a grey picture passes as three equal channels
        and their mean is returned.

    Raises: TypeError: the network takes two views.
    """
    parameter = next(network.parameters())
    batch = picture.to(parameter).expand(3, *picture.shape[1:])[None] * 2 - 1
    with torch.inference_mode():
        out = (network(batch)[0].float() + 1) / 2
    return (out if picture.shape[0] == 3 else out.mean(0, keepdim=True)).to(picture.device)


def _read(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        try:
            read: Any = import_module("safetensors.torch").load_file
        except ImportError as error:
            raise WeightsError(f"{path}: reading .safetensors needs the package safetensors") from error
    else:

        def read(file: Path) -> Any:
            return torch.load(file, map_location="cpu", weights_only=True)

    try:
        state = read(path)
    except Exception as error:  # unpicklers raise anything on damaged files
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(f"{path}: not a readable file of weights ({reason[0]})") from error
    if not isinstance(state, dict):
        raise WeightsError(f"{path}: got {type(state).__name__}, want a state dict")
    return state


def _from_own(state: dict[str, Any]) -> DRBNet:
    """A network of the sizes that the state dict's shapes tell."""
    width, inputs = state["encoder.0.0.weight"].shape[:2]
    kernel_size = round(state["restore.0.filters.2.weight"].shape[0] ** 0.5)
    scales = len({name.split(".")[1] for name in state if name.startswith("restore.")})
    network = DRBNet(inputs // 3, width=width, kernel_size=kernel_size, scales=scales)
    network.load_state_dict(state)
    return network
