"""``compare``: a layer as somebody has it beside ours: results, gradients, time, memory."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ._costs import Cost, cost

Layer = Callable[..., Any]
Tolerances = Mapping[torch.dtype, Mapping[str, float]]
MEBI = 1 << 20


class Difference(NamedTuple):
    """One output or gradient.

    Attributes:
        of: ``output`` or ``gradient of <input>``.
        ours: largest error against what is compared with.
        theirs: largest error of theirs against its own result in float64; None where that could not be computed.
        largest: largest magnitude of what is compared with: ``ours / largest`` is the relative error.
        within: every element is within the tolerance of its dtype.
        problem: why it could not be compared: shapes or dtypes that differ, a gradient that is missing.
    """

    of: str
    ours: float
    theirs: float | None
    largest: float
    within: bool
    problem: str = ""


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found; ``str`` of it is a table.

    Attributes:
        differences: outputs and gradients, in order.
        forward, backward: cost of a call without gradients, and of a call with all gradients; None if it failed.
        exact: ours was compared with theirs in float64; else with theirs in its own dtype, whose rounding counts too.
        problem: why nothing could be compared: what one of them raised, or results that do not correspond.
    """

    differences: tuple[Difference, ...] = ()
    forward: Cost | None = None
    backward: Cost | None = None
    exact: bool = False
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Everything that theirs gives, ours gives too, each element within its dtype's tolerance."""
        return not self.problem and bool(self.differences) and all(found.within for found in self.differences)

    def __str__(self) -> str:
        lines = [f"{'':34}{'theirs':>12}{'ours':>12}"]
        for name, took in (("forward", self.forward), ("forward + backward", self.backward)):
            if took is not None:
                lines.append(f"{name + ', ms':34}{took.theirs_ms:12.3g}{took.ours_ms:12.3g}{took.times:12.3g} times")
                if took.theirs_bytes is not None and took.ours_bytes is not None:
                    peaks = (took.theirs_bytes / MEBI, took.ours_bytes / MEBI)
                    lines.append(f"{name + ', peak MiB':34}{peaks[0]:12.1f}{peaks[1]:12.1f}")
        for found in self.differences:
            if found.problem:
                lines.append(f"{found.of:34}  {found.problem}")
                continue
            theirs = "?" if found.theirs is None else f"{found.theirs:.2g}"
            verdict = "" if found.within else "   NOT within the tolerance"
            lines.append(f"{'error of ' + found.of:34}{theirs:>12}{found.ours:12.2g}   of {found.largest:.3g}{verdict}")
        if self.problem:
            lines.append(self.problem)
        against = "theirs in float64" if self.exact else "theirs, which could not be run in float64"
        lines.append("equal" if self.ok else "NOT equal")
        return "\n".join(lines) + ("" if self.problem else f"; compared with {against}")


def compare(
    theirs: Layer,
    ours: Layer,
    inputs: Sequence[Tensor] | Mapping[str, Tensor],
    tolerances: Tolerances,
    seconds: float,
) -> Comparison:
    """As ``lfdeblur_ops.testing.compare`` tells it, which knows the tolerances."""
    _check(theirs, ours, inputs)
    call = _Inputs(inputs)
    try:
        found = _results(theirs, call.tensors, call)
    except Exception as error:
        return Comparison(problem=f"theirs raises {_said(error)}")
    try:
        given = _results(ours, call.tensors, call)
    except Exception as error:
        return Comparison(problem=f"ours raises {_said(error)}")
    if len(given.outputs) != len(found.outputs):
        return Comparison(problem=f"ours gives {len(given.outputs)} tensors, theirs {len(found.outputs)}")
    exact = _in_float64(theirs, call, [output.dtype for output in found.outputs])
    differences = []
    for name, mine, other, want in _pairs(given, found, exact or found, call):
        differences.append(_difference(name, mine, other, want, exact is not None, tolerances))
    forward, backward = (
        cost([_timed_call(layer, call, gradients) for layer in (theirs, ours)], call.device, seconds)
        if not gradients or (found.gradients and given.gradients)
        else None
        for gradients in (False, True)
    )
    return Comparison(tuple(differences), forward, backward, exact is not None)


class _Inputs:
    """The tensors by name, and which of them are differentiated."""

    def __init__(self, inputs: Sequence[Tensor] | Mapping[str, Tensor]) -> None:
        self.by_keyword = isinstance(inputs, Mapping)
        named = inputs.items() if isinstance(inputs, Mapping) else ((f"input {i}", t) for i, t in enumerate(inputs))
        self.tensors = dict(named)
        self.device = next(iter(self.tensors.values())).device
        asked = [name for name, tensor in self.tensors.items() if tensor.requires_grad]
        self.differentiated = asked or [name for name, tensor in self.tensors.items() if tensor.is_floating_point()]

    def leaves(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor.detach().requires_grad_(name in self.differentiated) for name, tensor in tensors.items()}

    def apply(self, layer: Layer, tensors: Mapping[str, Tensor]) -> list[Tensor]:
        result = layer(**tensors) if self.by_keyword else layer(*tensors.values())
        return list(_flat(result))


class _Results(NamedTuple):
    outputs: list[Tensor]
    gradients: dict[str, Tensor | None]  # empty: no output depends on an input by autograd


def _results(
    layer: Layer, tensors: Mapping[str, Tensor], call: _Inputs, rounded: Sequence[torch.dtype] | None = None
) -> _Results:
    """Outputs, and gradients along numbers ``rounded`` to these dtypes: by default those of the outputs."""
    leaves = call.leaves(tensors)
    with torch.enable_grad():
        outputs = call.apply(layer, leaves)
        grads = [
            _random_like(output, dtype)
            for output, dtype in zip(outputs, rounded or [output.dtype for output in outputs], strict=True)
        ]
        gradients = _gradients(outputs, grads, [leaves[name] for name in call.differentiated])
    return _Results([o.detach() for o in outputs], dict(zip(call.differentiated, gradients, strict=bool(gradients))))


def _gradients(outputs: list[Tensor], grads: list[Tensor], wanted: list[Tensor]) -> tuple[Tensor | None, ...]:
    joined = [pair for pair in zip(outputs, grads, strict=True) if pair[0].requires_grad]
    if not joined:
        return ()
    of, along = zip(*joined, strict=True)
    return torch.autograd.grad(of, wanted, along, allow_unused=True)


def _random_like(output: Tensor, rounded: torch.dtype) -> Tensor:
    """The same numbers for both sides, and in float64."""
    numbers = torch.randn(output.shape, generator=torch.Generator().manual_seed(0))
    return numbers.to(rounded).to(output.device, output.dtype)


def _in_float64(theirs: Layer, call: _Inputs, rounded: Sequence[torch.dtype]) -> _Results | None:
    """Theirs on the inputs as they are rounded, computed in double; None where it knows no float64."""
    wide = {name: t.detach().double() if t.is_floating_point() else t for name, t in call.tensors.items()}
    try:
        layer = copy.deepcopy(theirs).double() if isinstance(theirs, torch.nn.Module) else theirs
        exact = _results(layer, wide, call, rounded)
    except Exception:
        return None
    return exact if all(t.dtype == torch.float64 or not t.is_floating_point() for t in exact.outputs) else None


def _pairs(
    given: _Results, found: _Results, want: _Results, call: _Inputs
) -> Iterator[tuple[str, Tensor | None, Tensor | None, Tensor | None]]:
    """Each output and gradient of ours, of theirs, and as it should be."""
    for i, (mine, its, exact) in enumerate(zip(given.outputs, found.outputs, want.outputs, strict=True)):
        yield (f"output {i}" if len(found.outputs) > 1 else "output"), mine, its, exact
    for name in call.differentiated if found.gradients else ():
        yield f"gradient of {name}", given.gradients.get(name), found.gradients[name], want.gradients.get(name)


def _difference(
    of: str, ours: Tensor | None, theirs: Tensor | None, want: Tensor | None, exact: bool, tolerances: Tolerances
) -> Difference:
    nothing = (0.0, None, 0.0)
    if theirs is None or want is None:  # theirs does not depend on it
        within = ours is None or not ours.any()
        return Difference(of, *nothing, within, "" if within else "theirs does not depend on it, ours does")
    if ours is None:
        return Difference(of, *nothing, False, "ours has none")
    for what, mine, its in (("shape", list(ours.shape), list(theirs.shape)), ("dtype", ours.dtype, theirs.dtype)):
        if mine != its:
            return Difference(of, *nothing, False, f"{what}: ours has {mine}, theirs {its}")
    if ours.numel() == 0:
        return Difference(of, *nothing, True)
    goal = want.double()
    error = (ours.double() - goal).abs()
    largest = goal.abs().max().item()
    allowed = tolerances.get(ours.dtype, {"rtol": 0.0, "atol": 0.0})
    # A sum's rounding goes with its terms, not with what they happen to sum to. Two roundings where both are rounded.
    limit = (allowed["rtol"] * goal.abs() + allowed["atol"] * largest) * (1 if exact else 2)
    within = bool((error <= limit).all())
    rounding = (theirs.double() - goal).abs().max().item() if exact else None
    return Difference(of, error.max().item(), rounding, largest, within)


def _timed_call(layer: Layer, call: _Inputs, backward: bool) -> Callable[[], Any]:
    leaves = call.leaves(call.tensors)

    def forward() -> Any:
        with torch.no_grad():
            return call.apply(layer, leaves)

    if not backward:
        return forward
    with torch.no_grad():
        grads = [_random_like(output, output.dtype) for output in call.apply(layer, leaves)]
    wanted = [leaves[name] for name in call.differentiated]

    def both() -> Any:
        with torch.enable_grad():
            return _gradients(call.apply(layer, leaves), grads, wanted)

    return both


def _flat(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, Mapping):
        result = result.values()
    elif not isinstance(result, (tuple, list)):
        raise TypeError(f"result: got {type(result).__name__}, want a tensor, or a tuple, list or dict of them")
    return [tensor for part in result if part is not None for tensor in _flat(part)]


def _said(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _check(theirs: Layer, ours: Layer, inputs: Sequence[Tensor] | Mapping[str, Tensor]) -> None:
    for name, layer in (("theirs", theirs), ("ours", ours)):
        if not callable(layer):
            raise TypeError(f"{name}: got {type(layer).__name__}, want a function or module")
    if not isinstance(inputs, (tuple, list, Mapping)):
        raise TypeError(f"inputs: got {type(inputs).__name__}, want a tuple of tensors, or a dict of them by argument")
    tensors = list(inputs.values()) if isinstance(inputs, Mapping) else list(inputs)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"inputs: got {type(tensor).__name__} among them, want tensors only; "
                "other arguments by functools.partial or a lambda"
            )
    if not tensors:
        raise ValueError("inputs: got none, want at least one tensor")
    devices = {tensor.device for tensor in tensors}
    if len(devices) > 1:
        raise RuntimeError(f"inputs: got tensors on {', '.join(sorted(map(str, devices)))}, want one device")
