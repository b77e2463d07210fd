"""State dicts from files; pickled code in them is never run."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from .network import FeatureWeightsError


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file or of one that ``torch.save`` wrote, on the CPU.

    Raises:
        FeatureWeightsError: missing, damaged, or not a mapping of names to tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FeatureWeightsError(f"{path}: no such file of weights")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpicklers raise anything on damaged files
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FeatureWeightsError(f"{path}: not a readable file of weights ({reason})") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise FeatureWeightsError(f"{path}: want a state dict: names and tensors")
    return state
