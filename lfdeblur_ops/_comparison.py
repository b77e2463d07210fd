"""``compare``: a layer as somebody has it beside ours: results, gradients, time, memory."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ._costs import Cost, cost
from ._sides import Inputs, Layer, Results, gradients, has_gradients, left_alone, random_like, results, written_to

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
        problem: why it could not be compared: shapes or dtypes that differ, a gradient that one of them has not.
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
    _check(theirs, ours, inputs, seconds)
    with torch.inference_mode(False):
        return _compare(theirs, ours, Inputs(inputs), tolerances, seconds)


def _compare(theirs: Layer, ours: Layer, call: Inputs, tolerances: Tolerances, seconds: float) -> Comparison:
    try:
        found = results(theirs, call.tensors, call)
    except Exception as error:
        return Comparison(problem=f"theirs raises {_said(error)}")
    try:
        given = results(ours, call.tensors, call)
    except Exception as error:
        return Comparison(problem=f"ours raises {_said(error)}")
    if given.outputs.keys() != found.outputs.keys():
        names = [", ".join(side.outputs) or "nothing" for side in (given, found)]
        return Comparison(problem=f"ours gives {names[0]}; theirs {names[1]}")
    # In float64 other random numbers are drawn.
    exact = None if found.random else _in_float64(theirs, call, {name: t.dtype for name, t in found.outputs.items()})
    differences = []
    for name, mine, other, want in _pairs(given, found, exact or found, call):
        differences.append(_difference(name, mine, other, want, exact is not None, tolerances))
    with left_alone(theirs, call.device), left_alone(ours, call.device):
        forward, backward = (
            cost([_prepared(layer, call, differentiated) for layer in (theirs, ours)], call.device, seconds)
            if not differentiated or (found.gradients and given.gradients)
            else None
            for differentiated in (False, True)
        )
    return Comparison(tuple(differences), forward, backward, exact is not None)


def _in_float64(theirs: Layer, call: Inputs, rounded: Mapping[str, torch.dtype]) -> Results | None:
    """Theirs on the inputs as they are rounded, computed in double; None where it knows no float64."""
    wide = {name: _wide(t.detach()) if has_gradients(t) else t for name, t in call.tensors.items()}
    try:
        layer = copy.deepcopy(theirs).double() if isinstance(theirs, torch.nn.Module) else theirs
        exact = results(layer, wide, call, rounded)
    except Exception:  # a layer of others may fail at float64 in any way; the printed result then says that it did
        return None
    return exact if all(t.dtype == _wide(t).dtype for t in exact.outputs.values() if has_gradients(t)) else None


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _pairs(
    given: Results, found: Results, want: Results, call: Inputs
) -> Iterator[tuple[str, Tensor | None, Tensor | None, Tensor | None]]:
    """Each output and gradient of ours, of theirs, and as it should be."""
    for name, its in found.outputs.items():
        yield name, given.outputs[name], its, want.outputs[name]
    for name in call.differentiated if found.gradients or given.gradients else ():
        yield f"gradient of {name}", given.gradients.get(name), found.gradients.get(name), want.gradients.get(name)


def _difference(
    of: str, ours: Tensor | None, theirs: Tensor | None, want: Tensor | None, exact: bool, tolerances: Tolerances
) -> Difference:
    nothing = (0.0, None, 0.0)
    if theirs is None or want is None:  # theirs does not depend on it
        within = ours is None or not ours.any()
        return Difference(of, *nothing, within, "" if within else "theirs has none, ours has")
    if ours is None:
        return Difference(of, *nothing, False, "ours has none")
    for what, mine, its in (("shape", list(ours.shape), list(theirs.shape)), ("dtype", ours.dtype, theirs.dtype)):
        if mine != its:
            return Difference(of, *nothing, False, f"{what}: ours has {mine}, theirs {its}")
    if ours.numel() == 0:
        return Difference(of, *nothing, True)
    goal = _wide(want)
    error = (_wide(ours) - goal).abs()
    size = goal.abs().where(goal.isfinite(), 0.0)
    allowed = tolerances.get(ours.dtype.to_real(), {"rtol": 0.0, "atol": 0.0})
    # A sum's rounding goes with its terms, not with what they happen to sum to. Two roundings where both are rounded.
    limit = (allowed["rtol"] * size + allowed["atol"] * _largest(size)) * (1 if exact else 2)
    same = ~ours.isfinite() & ((ours == theirs) | (ours.isnan() & theirs.isnan()))
    within = bool(((error <= limit) | same).all())
    rounding = (_wide(theirs) - goal).abs().where(~same, 0.0).max().item() if exact else None
    return Difference(of, error.where(~same, 0.0).max().item(), rounding, size.max().item(), within)


def _largest(size: Tensor) -> Tensor:
    """Of each channel, where it has pixels enough for one that is not small by chance."""
    if size.dim() > 2 and size.numel() >= 4 * size.shape[1]:
        return size.amax([axis for axis in range(size.dim()) if axis != 1], keepdim=True)
    return size.max()


def _prepared(layer: Layer, call: Inputs, backward: bool) -> Callable[[], Callable[[], Any]]:
    """Makes the call that is timed: of tensors of its own where the layer writes into them, else of the same ones."""
    grads: list[Tensor] = []
    if backward:
        with torch.no_grad():
            outputs = call.apply(layer, call.leaves(call.tensors)).values()
        grads = [random_like(output, output.dtype) for output in outputs]
    leaves = call.leaves(call.tensors)
    arguments = written_to(leaves) if backward else leaves
    before = _versions(arguments)
    with torch.set_grad_enabled(backward):
        call.apply(layer, arguments)
    written = _versions(arguments) != before

    def prepare() -> Callable[[], Any]:
        leaves_now = call.leaves(call.tensors) if written else leaves
        arguments_now = written_to(leaves_now) if written and backward else leaves_now
        wanted = [leaves_now[name] for name in call.differentiated]

        def run() -> Any:
            with torch.set_grad_enabled(backward):
                outputs = call.apply(layer, arguments_now)
                return gradients(list(outputs.values()), grads, wanted) if backward else outputs

        return run

    return prepare


def _versions(tensors: Mapping[str, Tensor]) -> list[int]:
    """Which change when a tensor is written into."""
    return [tensor._version for tensor in tensors.values()]  # noqa: SLF001 (it has no other name)


def _said(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _check(theirs: Layer, ours: Layer, inputs: Sequence[Tensor] | Mapping[str, Tensor], seconds: float) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise TypeError(f"seconds: got {seconds!r}, want a number")
    if not 0 <= seconds < math.inf:
        raise ValueError(f"seconds: got {seconds!r}, want a number from 0")
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
