"""Networks from files of weights, and back."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from ..io.atomic import atomic_path
from ..io.errors import LfdeblurError
from ..system.suggestions import did_you_mean
from .configuration import Configuration
from .drbnet import SILENCED, DRBNet
from .shipped import COMPACT, weights_file
from .state_dicts import check_tensors, loaded

# Files of lfdeblur export, and what they are told to be.
EXPORTED = {
    ".onnx": "an ONNX file",
    ".xml": "a file of OpenVINO",
    ".bin": "a file of OpenVINO",
    ".pt2": "a program of PyTorch",
    ".dtmodel": "a model of darktable",
}
FIRST, FILTERS = "encoder.0.0.weight", "restore.0.filters.2.weight"
KEY = "drbnet"  # of the metadata of a .safetensors file; its value: the configuration as JSON


class WeightsError(LfdeblurError, ValueError):
    """A weights file that cannot be used; the message names it and says why."""


def load_network(path: str | Path | None = None) -> DRBNet:
    """A network with the weights of a file.

    Args:
        path: a published checkpoint (``.pth``), or a state dict of ``DRBNet`` saved with ``torch.save`` (``.pt``,
            ``.pth``) or as ``.safetensors``. Pickled code in it is never run. Sizes and variant are told by the
            metadata of ``.safetensors``, and without any by the tensors' shapes. None or ``compact``: the weights that
            ship.

    Returns: the network, single or dual view, in evaluation mode on the CPU.

    Raises:
        WeightsError: the file is missing or damaged, its tensors do not fit the network or hold NaN or infinity, or its
            metadata and its tensors contradict one another.
    """
    path = weights_file(path)
    if path.is_dir():
        inside = "".join(f"; its weights are in {file}" for file in sorted(path.glob("*.safetensors"))[:1])
        raise WeightsError(f"{path}: is a folder, want a file of weights{inside}")
    if not path.is_file():
        raise WeightsError(f"{path}: no such file of weights{did_you_mean(str(path), [COMPACT])}")
    state, metadata = _read(path)
    try:
        if FIRST not in state:
            network = DRBNet.from_official(state).eval()
            check_tensors(network.state_dict())
            return network
        check_tensors(state)
        configuration = _of_tensors(state)
        if metadata is not None:
            configuration = _agreed(metadata, configuration, state)
        return cast(DRBNet, loaded(DRBNet, dataclasses.asdict(configuration), state))
    except (RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: not weights of DRBNet: {error}") from error


def save_weights(configuration: Configuration, state: Mapping[str, Tensor], path: Path) -> None:
    """Write a network's state in half precision as ``.safetensors``, its configuration beside it, whole or not at all.

    Raises: OutputError: that fails.
    """
    tensors = {name: value.detach().half().contiguous().cpu() for name, value in state.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, {KEY: json.dumps(dataclasses.asdict(configuration))}))


def _read(path: Path) -> tuple[dict[str, Any], str | None]:
    """The tensors, and what the metadata say of the configuration."""
    metadata = None
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
            with safe_open(path, "pt") as file:
                metadata = (file.metadata() or {}).get(KEY)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpicklers raise anything on damaged files
        if path.suffix in EXPORTED:
            kind = EXPORTED[path.suffix]
            raise WeightsError(f"{path}: is {kind}, want weights: .safetensors, .pt or .pth") from error
        reason = str(error).strip().splitlines() or [type(error).__name__]
        if isinstance(error, UnpicklingError):  # PyTorch advises to run what is in the file
            reason = ["not a pickle of tensors alone"]
        raise WeightsError(f"{path}: not a readable file of weights ({reason[0]})") from error
    if not isinstance(state, dict):
        raise WeightsError(f"{path}: got {type(state).__name__}, want a state dict")
    return state, metadata


def _of_tensors(state: Mapping[str, Tensor]) -> Configuration:
    """What the shapes tell; a silenced branch looks like any other. Raises ValueError: nothing of DRBNet."""
    for name in (FIRST, FILTERS):
        if name not in state:
            raise ValueError(f"holds no {name}")
        if state[name].dim() != 4:
            raise ValueError(f"{name} has the shape {list(state[name].shape)}, want that of a convolution")
    width, inputs = state[FIRST].shape[:2]
    kernel_size = round(state[FILTERS].shape[0] ** 0.5)
    scales, restored = (
        len({name.split(".")[1] for name in state if name.startswith(part)}) for part in ("encoder.", "restore.")
    )
    variant = "full" if restored == scales else "single-scale"
    return Configuration(inputs // 3, width, kernel_size, scales, variant)


def _agreed(metadata: str, shaped: Configuration, state: Mapping[str, Tensor]) -> Configuration:
    """The configuration of the metadata. Raises ValueError: it is none, or the tensors say otherwise."""
    try:
        configuration = Configuration(**json.loads(metadata))
    except (TypeError, ValueError) as error:
        raise ValueError(f"its metadata {KEY!r} are no configuration: {error}") from error
    # A silenced branch has its usual shape, and with one scale single-scale is the whole network.
    if configuration.variant in SILENCED or configuration.scales == 1:
        shaped = dataclasses.replace(shaped, variant=configuration.variant)
    for field in dataclasses.fields(Configuration):
        says, has = getattr(configuration, field.name), getattr(shaped, field.name)
        if says != has:
            raise ValueError(f"its metadata say {field.name}={says}, its tensors have {field.name}={has}")
    silenced = SILENCED.get(shaped.variant)
    lasts = [f"restore.{scale}.{silenced}.2" for scale in range(shaped.restored_scales)] if silenced else []
    if any(bool(state[f"{last}.{kind}"].any()) for last in lasts for kind in ("weight", "bias")):
        raise ValueError(f"its metadata say variant={shaped.variant}, its tensors hold that branch")
    return shaped
