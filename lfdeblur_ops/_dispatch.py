"""Choice of the back end that runs a call."""

import functools
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import torch

from . import _load
from ._choice import chosen
from ._levels import functionalized, transformed

# Fastest first, of those that the op has; other devices: the reference.
ORDER = {"cpu": ("cpu", "reference"), "cuda": ("cuda", "triton", "reference")}
LEAST_TRITON = "3.6"


class BackendError(RuntimeError):
    """No back end can run the call; the message gives every back end's reason."""


def _never_missing() -> None:
    return None


def _always_fit(dtype: torch.dtype) -> None:
    return None


class Impl(NamedTuple):
    """A back end of an op."""

    device: str | None  # the device type it runs on; None: any
    missing: Callable[[], str | None] = _never_missing  # why it cannot run on this machine at all
    unfit: Callable[[torch.dtype], str | None] = _always_fit  # why it cannot run on tensors of this dtype


def cpu_missing() -> str | None:
    return _load.MISSING


def _gpu() -> bool:
    return torch.cuda.is_available()


def _cuda_missing() -> str | None:
    facts = _load.FACTS
    if facts is None:
        return _load.MISSING
    if not facts["cuda"]:
        return "the extension was built without CUDA kernels (no nvcc found, or LFDEBLUR_CUDA=0)"
    if not _gpu():
        return "no CUDA device is available to torch"
    if not facts["cuda_stream"]:
        return "torch's CUDA library does not give the extension its stream (aoti_torch_get_current_cuda_stream)"
    if torch.compiler.is_compiling():  # what follows cannot be traced; the launch itself fails where it does not fit
        return None
    capability = torch.cuda.get_device_capability()
    if not runs_on(capability, str(facts["cuda_architectures"])):
        return (
            f"the extension has kernels for the architectures {facts['cuda_architectures']}, the GPU is of "
            f"{capability[0]}.{capability[1]} (build with TORCH_CUDA_ARCH_LIST={capability[0]}.{capability[1]})"
        )
    return None


def runs_on(capability: tuple[int, int], architectures: str) -> bool:
    """Whether code for ``architectures``, as ``8.0;9.0;10.0+PTX``, runs on a GPU of this compute capability."""
    for architecture in architectures.replace(" ", ";").split(";"):
        number = architecture.removesuffix("+PTX")
        major, minor = (int(part) for part in number.rstrip("af").split("."))
        later = number[-1] != "a" and capability[0] == major and capability[1] >= minor  # "a": for this very one alone
        if (
            capability == (major, minor)
            or later
            or (architecture.endswith("+PTX") and number[-1] not in "af" and capability >= (major, minor))
        ):
            return True
    return False


def _triton_unusable() -> str | None:
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed (pip install triton)"
    try:
        version = importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:  # PyTorch's nightly builds come with one of another name
        return None
    if tuple(map(int, version.split(".")[:2])) < tuple(map(int, LEAST_TRITON.split("."))):
        return f"Triton {version} is too old (want {LEAST_TRITON} or later)"
    return None


_TRITON_UNUSABLE = _triton_unusable()  # asked here, since torch.compile could not trace it


def triton_missing() -> str | None:
    if _TRITON_UNUSABLE is None and not _gpu():
        return "no CUDA device is available to torch"
    return _TRITON_UNUSABLE


def tf32_allowed(kind: Literal["conv", "matmul"]) -> bool:
    """Whether PyTorch may form float32 products on a GPU as TF32: by default in convolutions, not in matrix products.

    The library has no switch of its own. ``allow_tf32``, the older name of the switch, raises once a program has used
    ``fp32_precision``; this one also tells what ``allow_tf32`` was set to.
    """
    backend: Any = torch.backends.cudnn.conv if kind == "conv" else torch.backends.cuda.matmul  # type: ignore[attr-defined]
    return bool(backend.fp32_precision == "tf32")


def tensor_core_unfit(dtype: torch.dtype) -> str | None:
    """Why a Triton convolution cannot run on this dtype."""
    if dtype == torch.float64:
        return "no kernel for float64"
    # The switch cannot be traced: compiled code asks the kernel, which reads it when it runs and heeds it.
    if dtype == torch.float32 and not torch.compiler.is_compiling() and not tf32_allowed("conv"):
        return "float32 would run as TF32, which torch.backends.cudnn.conv.fp32_precision does not allow"
    return None


TRITON_CONVOLUTION = Impl("cuda", triton_missing, tensor_core_unfit)


SCHEMAS: dict[str, str] = {}  # those that `define` was given, by op; a test holds them against the library's


def define(schema: str) -> None:
    """``torch.ops.lfdeblur.<op>`` of an op that Triton has a kernel of.

    The compiled library declares it, and all others; where it is missing Triton's ops are declared here. CUDA tensors
    go to the function named like the op in ``lfdeblur_ops.triton.<op>`` (that of ``<op>_backward`` too), imported at
    the first call: neither Triton nor a GPU is needed to import the library.
    """
    name = schema[: schema.index("(")]
    SCHEMAS[name] = schema
    if not hasattr(torch.ops.lfdeblur, name):
        torch.library.define(f"lfdeblur::{name}", schema[len(name) :], tags=torch.Tag.pt2_compliant_tag)
    module = f"{__package__}.triton.{name.removesuffix('_backward')}"

    @functools.cache
    def function() -> Callable[..., Any]:
        return getattr(importlib.import_module(module), name)

    torch.library.impl(f"lfdeblur::{name}", "cuda", lambda *args: function()(*args))


_IMPLS: dict[str, dict[str, Impl]] = {}
_COMPOSED: set[str] = set()  # ops that run their kernels under transforms too


def register(op: str, compiled: Mapping[str, Impl] | None = None, *, composed: bool = False) -> None:
    """State an op's back ends.

    ``compiled``: those beside the reference, fastest first, which ``torch.ops.lfdeblur.<op>`` dispatches to by the
    device; by default the extension's CUDA and CPU kernels. ``composed``: the op has a form that knows the transforms
    of PyTorch (``select`` gives ``"composed"``); others run on their reference under them.
    """
    if compiled is None:
        compiled = {"cuda": Impl("cuda", _cuda_missing), "cpu": Impl("cpu", cpu_missing)}
    _IMPLS[op] = {**compiled, "reference": Impl(None)}
    if composed:
        _COMPOSED.add(op)


def select(op: str, backend: str, device: torch.device, dtype: torch.dtype = torch.float32) -> str:
    """The first back end that can run ``op`` on ``device`` and ``dtype``; a forced one never falls back.

    Under the transforms of PyTorch, which know no kernels: ``composed`` or ``reference``.
    """
    impls = _IMPLS[op]
    if backend == "auto":
        backend = chosen()
    reasons = []
    for name in ORDER.get(device.type, ("reference",)) if backend == "auto" else (backend,):
        impl = impls.get(name)
        if impl is None:
            if backend == "auto":
                continue
            raise ValueError(f"backend: got {backend!r}, want 'auto' or one of {', '.join(map(repr, impls))}")
        reason = impl.missing()
        if reason is None and impl.device not in (None, device.type):
            reason = f"the tensors are on {device}"
        if reason is None:
            reason = impl.unfit(dtype)
        if reason is None:
            if name != "reference" and transformed():
                # torch.compile traces the reference under them, and could not trace the other.
                composed = op in _COMPOSED and not torch.compiler.is_compiling() and not functionalized()
                return "composed" if composed else "reference"
            return name
        reasons.append(f"{name}: {reason}")
    raise BackendError("no backend can run this call: " + "; ".join(reasons))


def backends(op: str | Callable[..., Any]) -> dict[str, str]:
    """For each back end of ``op`` (its name or public function): ``"ok"``, or why it cannot run on this machine."""
    name = op if isinstance(op, str) else getattr(op, "__name__", repr(op))
    if name not in _IMPLS:
        raise ValueError(f"op: got {name!r}, want one of {', '.join(map(repr, _IMPLS))}")
    return {backend: impl.missing() or "ok" for backend, impl in _IMPLS[name].items()}
