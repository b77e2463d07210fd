"""One side of a comparison: what a layer gives for tensors, which stay as they were, and so does the layer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

Layer = Callable[..., Any]
SEED = 8_675_309  # none that inputs are made with: along x itself the gradient of a normalisation is 0


class Inputs:
    """The tensors by name, and which of them are differentiated."""

    def __init__(self, inputs: Sequence[Tensor] | Mapping[str, Tensor]) -> None:
        self.by_keyword = isinstance(inputs, Mapping)
        named = inputs.items() if isinstance(inputs, Mapping) else ((f"input {i}", t) for i, t in enumerate(inputs))
        self.tensors = dict(named)
        self.device = next(iter(self.tensors.values())).device
        asked = [name for name, tensor in self.tensors.items() if tensor.requires_grad]
        self.differentiated = asked or [name for name, tensor in self.tensors.items() if has_gradients(tensor)]

    def leaves(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Copies, of which gradients can be taken."""
        return {name: _copy(tensor).requires_grad_(name in self.differentiated) for name, tensor in tensors.items()}

    def apply(self, layer: Layer, arguments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The results by name."""
        result = layer(**arguments) if self.by_keyword else layer(*arguments.values())
        return dict(_named(result))


class Results(NamedTuple):
    outputs: dict[str, Tensor]
    gradients: dict[str, Tensor | None]  # empty: no output depends on an input by autograd
    random: bool  # random numbers were drawn


def results(
    layer: Layer, tensors: Mapping[str, Tensor], call: Inputs, rounded: Mapping[str, torch.dtype] | None = None
) -> Results:
    """Outputs, and gradients along numbers ``rounded`` to these dtypes: by default those of the outputs."""
    leaves = call.leaves(tensors)
    with left_alone(layer, call.device), torch.enable_grad():
        before = _random_states(call.device)
        outputs = call.apply(layer, written_to(leaves))
        random = any(not torch.equal(*states) for states in zip(before, _random_states(call.device), strict=True))
        grads = [
            random_like(output, output.dtype if rounded is None else rounded[name]) for name, output in outputs.items()
        ]
        given = gradients(list(outputs.values()), grads, [leaves[name] for name in call.differentiated])
    by_name = dict(zip(call.differentiated, given, strict=True)) if given else {}
    return Results({name: output.detach().clone() for name, output in outputs.items()}, by_name, random)


def gradients(outputs: list[Tensor], grads: list[Tensor], wanted: list[Tensor]) -> tuple[Tensor | None, ...]:
    joined = [pair for pair in zip(outputs, grads, strict=True) if pair[0].requires_grad]
    if not joined:
        return ()
    of, along = zip(*joined, strict=True)
    return torch.autograd.grad(of, wanted, along, allow_unused=True)


def random_like(output: Tensor, rounded: torch.dtype) -> Tensor:
    """The same numbers for both sides, and in float64."""
    dtype = torch.complex64 if output.is_complex() else torch.float32
    numbers = torch.randn(output.shape, dtype=dtype, generator=torch.Generator().manual_seed(SEED))
    return numbers.to(rounded).to(output.device, output.dtype)


def has_gradients(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def written_to(leaves: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The leaves as arguments that a layer may write into, as into what another layer gave."""
    arguments = {}
    for name, leaf in leaves.items():
        copy = leaf.clone() if leaf.requires_grad else leaf
        arguments[name] = copy if copy.stride() == leaf.stride() else leaf
    return arguments


@contextmanager
def left_alone(layer: Layer, device: torch.device) -> Iterator[None]:
    """The layer's buffers and the state of random numbers are after it what they were before."""
    buffers = list(layer.buffers()) if isinstance(layer, torch.nn.Module) else []
    before = [buffer.clone() for buffer in buffers]
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)


def _random_states(device: torch.device) -> list[Tensor]:
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _copy(tensor: Tensor) -> Tensor:
    """With the strides, as of a slice or an expanded tensor, on which it may depend what runs."""
    copy = tensor.detach().clone()
    if copy.stride() == tensor.stride():
        return copy
    storage = tensor.detach().untyped_storage().clone()
    return tensor.new_empty(0).set_(storage, tensor.storage_offset(), tensor.shape, tensor.stride())  # type: ignore[no-any-return, call-overload, unused-ignore]


def _named(result: Any, path: str = "output", separator: str = " ") -> Iterator[tuple[str, Tensor]]:
    """``output``, or ``output 1``, ``output key.0``; None has a place but no name."""
    if isinstance(result, Tensor):
        yield path, result
        return
    if not isinstance(result, (tuple, list, Mapping)):
        raise TypeError(f"result: got {type(result).__name__}, want a tensor, or a tuple, list or dict of them")
    for key, part in result.items() if isinstance(result, Mapping) else enumerate(result):
        if part is not None:
            yield from _named(part, f"{path}{separator}{key}", ".")
