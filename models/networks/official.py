"""Names and shapes of the published DRBNet checkpoints, and their translation to ours."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

WRAPPERS = ("state_dict", "params_ema", "params", "model", "model_state_dict", "network")
FIRST = "conv1_1.0.weight"  # its shape tells single view (3 inputs) from dual (6)
LISTED = 20  # keys of one kind that an error spells out


def official_modules() -> dict[str, tuple[str, tuple[int, ...]]]:
    """For each layer of our ``DRBNet``: the published layer's name and the shape of its weight (single view)."""
    layers: dict[str, tuple[str, tuple[int, ...]]] = {}
    width = (32, 64, 128, 256)

    def add(ours: str, theirs: str, outputs: int, inputs: int, kernel_size: int = 3) -> None:
        layers[ours] = theirs, (outputs, inputs, kernel_size, kernel_size)

    def add_block(ours: str, theirs: str, channels: int) -> None:
        add(f"{ours}.conv1", f"{theirs}.stem.0.0", channels, channels)
        add(f"{ours}.conv2", f"{theirs}.stem.0.2", channels, channels)

    for level, size in enumerate(width):
        for i in range(3):
            inputs = size if i else (3, *width)[level]
            add(f"encoder.{level}.{i}", f"conv{level + 1}_{i + 1}.0", size, inputs)
    for i in (0, 3):
        add(f"bottleneck.{i}", f"conv4_4.{i}.0", 256, 256)
    for i in (1, 2):
        add_block(f"bottleneck.{i}", f"conv4_4.{i}", 256)
    for level, size in enumerate(width[:-1]):
        add(f"decoder.{level}.up", f"upconv{level + 1}_u.0", 2 * size, size, 4)  # transposed: [inputs, outputs, 4, 4]
        for i in range(2):
            add_block(f"decoder.{level}.blocks.{i}", f"upconv{level + 1}_{i + 1}", size)
    wide, middle = (64, 64, 128, 256), (64, 64, 128, 128)
    for level, size in enumerate(width):
        chains = (
            ("image", f"img_d{1 << level}_feature", (3, 64, middle[level], size)),
            ("filters", f"upconv{level}_kernel", (2 * size, wide[level], middle[level], 49)),
            ("residual", f"upconv{level}_res", (2 * size, wide[level], 64, 3)),
        )
        for ours, theirs, sizes in chains:
            for i in range(3):
                bare = ours == "filters" and i == 2  # the one layer without an activation beside it
                kernel_size = 1 if i == 2 and ours != "image" else 3
                name = f"{theirs}.{i}" if bare else f"{theirs}.{i}.0"
                add(f"restore.{level}.{ours}.{i}", name, sizes[i + 1], sizes[i], kernel_size)
    return layers


def convert_official(state_dict: Mapping[str, Any]) -> tuple[int, dict[str, Tensor]]:
    """Number of views of a published checkpoint, and its tensors under our names. Raises as ``from_official`` says."""
    tensors = _strip_prefix(_unwrap(state_dict))
    first = tensors.get(FIRST)
    views = 2 if first is not None and first.dim() == 4 and first.shape[1] == 6 else 1
    ours: dict[str, Tensor] = {}
    missing, misshaped = [], []
    expected = set()
    for our_name, (their_name, shape) in official_modules().items():
        if f"{their_name}.weight" == FIRST:
            shape = (shape[0], 3 * views, *shape[2:])
        biases = shape[1] if our_name.endswith(".up") else shape[0]
        for kind, want in (("weight", shape), ("bias", (biases,))):
            key = f"{their_name}.{kind}"
            expected.add(key)
            if key not in tensors:
                missing.append(key)
            elif tuple(tensors[key].shape) != want:
                misshaped.append(f"{key} {list(tensors[key].shape)} (want {list(want)})")
            else:
                ours[f"{our_name}.{kind}"] = tensors[key]
    unexpected = [key for key in tensors if key not in expected]
    faults = (("missing", missing), ("unexpected", unexpected), ("misshaped", misshaped))
    if any(keys for _, keys in faults):
        raise ValueError(
            "state_dict: not a published DRBNet checkpoint; "
            + "; ".join(f"{len(keys)} {kind}: {_list(keys)}" for kind, keys in faults if keys)
        )
    return views, ours


def _unwrap(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    while isinstance(state_dict, Mapping):
        inner = next((state_dict[w] for w in WRAPPERS if isinstance(state_dict.get(w), Mapping)), None)
        if inner is None:
            break
        state_dict = inner
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"state_dict: got {type(state_dict).__name__}, want a mapping of names to tensors")
    for key, value in state_dict.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"state_dict: got {type(value).__name__} for {key!r}, want a tensor")
    return dict(state_dict)


def _strip_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop what stands before the first layer's name (``module.`` of a data-parallel model, for example)."""
    prefix = next((key[: -len(FIRST)] for key in tensors if key.endswith("." + FIRST)), "")
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}


def _list(keys: list[str]) -> str:
    rest = len(keys) - LISTED
    return ", ".join(keys[:LISTED]) + (f" and {rest} more" if rest > 0 else "")
