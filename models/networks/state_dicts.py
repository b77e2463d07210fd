"""What is wrong with a state dict, in one line, before any network is built of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

LISTED = 20  # keys of one kind that an error spells out


def check_tensors(state: Mapping[Any, Any]) -> None:
    """Raise ValueError where a state dict holds anything but finite floating-point tensors by their names."""
    for name, value in state.items():
        if not isinstance(name, str):
            raise ValueError(f"got {name!r}, want names of tensors")
        if not isinstance(value, Tensor):
            raise ValueError(f"got {type(value).__name__} for {name!r}, want a tensor")
        if not value.is_floating_point():
            raise ValueError(f"{name} holds {str(value.dtype)[6:]}, want floating point")
        if not value.float().isfinite().all():
            raise ValueError(f"{name} holds {'NaN' if value.float().isnan().any() else 'infinity'}")


def mismatch(wanted: Mapping[str, Sequence[int]], state: Mapping[str, Tensor]) -> str:
    """Tensors that are missing, unexpected or misshaped; empty where all fit.

    Args:
        wanted: shapes by name.
        state: the tensors.
    """
    misshaped = [
        f"{name} {list(state[name].shape)} (want {list(shape)})"
        for name, shape in wanted.items()
        if name in state and list(state[name].shape) != list(shape)
    ]
    faults = {
        "missing": [name for name in wanted if name not in state],
        "unexpected": [name for name in state if name not in wanted],
        "misshaped": misshaped,
    }
    return "; ".join(f"{len(names)} {kind}: {listed(names)}" for kind, names in faults.items() if names)


def shapes_of(network: nn.Module) -> dict[str, Sequence[int]]:
    """The shapes of a network's tensors, by name."""
    return {name: value.shape for name, value in network.state_dict().items()}


def listed(names: Sequence[str]) -> str:
    """Names with commas, of many the first."""
    rest = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {rest} more" if rest > 0 else "")


def loaded(network_class: type[nn.Module], arguments: Mapping[str, Any], state: Mapping[str, Tensor]) -> nn.Module:
    """A network with a state dict, in evaluation mode; its memory is taken when all tensors fit.

    Raises: ValueError: they do not.
    """
    with torch.device("meta"):
        shape = network_class(**arguments)
    faults = mismatch(shapes_of(shape), state)
    if faults:
        raise ValueError(faults)
    network = network_class(**arguments)
    network.load_state_dict(state)
    return network.eval()
