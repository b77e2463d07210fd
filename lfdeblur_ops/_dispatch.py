"""Choice of the back end that runs a call."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import _load

ORDER = {"cpu": ("cpu", "reference"), "cuda": ("cuda", "reference")}  # fastest first; other devices: the reference


class BackendError(RuntimeError):
    """No back end can run the call; the message gives every back end's reason."""


class Impl(NamedTuple):
    run: Callable[..., Tensor]
    device: str | None  # the device type it runs on; None: any
    missing: Callable[[], str | None]  # why it cannot run on this machine at all


def _never_missing() -> None:
    return None


def _cpu_missing() -> str | None:
    return _load.MISSING


def _cuda_missing() -> str | None:
    if _load.extension is None:
        return _load.MISSING
    if not _load.extension.build_facts()["cuda"]:
        return "the extension was built without CUDA kernels (no nvcc found, or LFDEBLUR_CUDA=0)"
    if not torch.cuda.is_available():
        return "no CUDA device is available to torch"
    return None


_IMPLS: dict[str, dict[str, Impl]] = {}


def register(op: str, kernel: Callable[..., Tensor], reference: Callable[..., Tensor]) -> dict[str, Impl]:
    """Table of an op's back ends: ``kernel`` calls ``torch.ops.lfdeblur.<op>``, which dispatches on the device."""
    _IMPLS[op] = {
        "cuda": Impl(kernel, "cuda", _cuda_missing),
        "cpu": Impl(kernel, "cpu", _cpu_missing),
        "reference": Impl(reference, None, _never_missing),
    }
    return _IMPLS[op]


def select(impls: dict[str, Impl], backend: str, device: torch.device) -> Callable[..., Tensor]:
    """The first back end that can run on ``device``; a forced one never falls back."""
    reasons = []
    for name in ORDER.get(device.type, ("reference",)) if backend == "auto" else (backend,):
        if name not in impls:
            raise ValueError(f"backend: got {backend!r}, want 'auto' or one of {', '.join(map(repr, impls))}")
        impl = impls[name]
        reason = impl.missing()
        if reason is None and impl.device not in (None, device.type):
            reason = f"the tensors are on {device}"
        if reason is None:
            return impl.run
        reasons.append(f"{name}: {reason}")
    raise BackendError("no backend can run this call: " + "; ".join(reasons))


def backends(op: str | Callable[..., Any]) -> dict[str, str]:
    """For each back end of ``op`` (its name or public function): ``"ok"``, or why it cannot run on this machine."""
    name = op if isinstance(op, str) else getattr(op, "__name__", repr(op))
    if name not in _IMPLS:
        raise ValueError(f"op: got {name!r}, want one of {', '.join(map(repr, _IMPLS))}")
    return {backend: impl.missing() or "ok" for backend, impl in _IMPLS[name].items()}
