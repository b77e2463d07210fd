"""The back end that calls without ``backend=`` ask for: by ``use_backend``, or the environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

BACKENDS = ("auto", "cuda", "triton", "cpu", "winograd", "reference")


def _known(name: str, where: str) -> str:
    if name not in BACKENDS:
        raise ValueError(f"{where}: got {name!r}, want one of {', '.join(map(repr, BACKENDS))}")
    return name


_default = _known(os.environ.get("LFDEBLUR_BACKEND") or "auto", "LFDEBLUR_BACKEND")
_choice: ContextVar[str] = ContextVar("lfdeblur_backend", default=_default)
# For torch.compile, which guards on a global variable and cannot trace the other one.
_latest = _default


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Run the ops on a back end of your choice, in a ``with`` block or, as a decorator, in a function.

    It counts for every call without a ``backend=`` of its own, in this thread or task, until the block ends; blocks may
    stand in each other. What asks first: the call's ``backend=`` (other than ``"auto"``), the innermost block, the
    environment variable ``LFDEBLUR_BACKEND`` (read when the library is imported), then ``"auto"``. As with
    ``backend=``, nothing falls back: an op that has no such back end, or cannot run on it, raises.

    ``torch.compile`` compiles anew when the choice changes; where several threads choose, its code follows the latest.

    Args:
        name: ``"auto"``, ``"cuda"``, ``"triton"``, ``"cpu"``, ``"winograd"`` or ``"reference"``.

    Raises:
        ValueError: another name; by the calls inside, an op that has no such back end.
        BackendError: by the calls inside, a back end that cannot run them; it says why.

    Example:
        >>> with lfdeblur_ops.use_backend("reference"):
        ...     y = lfdeblur_ops.dynamic_filter(x, filters, 7)
    """
    global _latest
    token, before = _choice.set(_known(name, "name")), _latest
    _latest = name
    try:
        yield
    finally:
        _choice.reset(token)
        _latest = before


def chosen() -> str:
    """What a call without ``backend=`` runs on."""
    return _latest if torch.compiler.is_compiling() else _choice.get()
