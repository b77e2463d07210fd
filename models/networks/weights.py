"""Networks from files of weights."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ..io.errors import LfdeblurError
from .drbnet import DRBNet
from .shipped import default_weights
from .variants import build_variant


class WeightsError(LfdeblurError, ValueError):
    """A weights file that cannot be used; the message names it and says why."""


def load_network(path: str | Path | None = None) -> DRBNet:
    """A network with the weights of a file.

    Args:
        path: a published checkpoint (``.pth``), or a state dict of ``DRBNet`` saved with ``torch.save`` (``.pt``,
            ``.pth``) or as ``.safetensors``. Pickled code in it is never run. Sizes and variant are told by the
            tensors' shapes. None: the weights that ship.

    Returns: the network, single or dual view, in evaluation mode on the CPU.

    Raises:
        WeightsError: the file is missing or damaged, or its tensors do not fit the network.
    """
    path = default_weights() if path is None else Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such file of weights")
    state = _read(path)
    try:
        return (_from_own(state) if "encoder.0.0.weight" in state else DRBNet.from_official(state)).eval()
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: not weights of DRBNet: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
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
    scales, restored = (
        len({name.split(".")[1] for name in state if name.startswith(part)}) for part in ("encoder.", "restore.")
    )
    # Branches that a variant lacks are there, filled with 0.
    variant = "full" if restored == scales else "single-scale"
    network = build_variant(variant, inputs // 3, width=width, kernel_size=kernel_size, scales=scales)
    network.load_state_dict(state)
    return network
