"""The back end that calls without ``backend=`` ask for: by ``use_backend``, or the environment."""

import functools
import inspect
import os
import threading
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")

BACKENDS = ("auto", "cuda", "triton", "cpu", "winograd", "reference")


def _known(name: str, where: str) -> str:
    if name not in BACKENDS:
        raise ValueError(f"{where}: got {name!r}, want one of {', '.join(map(repr, BACKENDS))}")
    return name


_default = _known(os.environ.get("LFDEBLUR_BACKEND") or "auto", "LFDEBLUR_BACKEND")
_choice: ContextVar[str] = ContextVar("lfdeblur_backend", default=_default)
# torch.compile cannot trace that one, and guards on global variables: the choice of the latest block of all threads
# that has not ended, and that of a block within what is traced.
_active: dict[int, str] = {}
_changing = threading.Lock()
_latest = _default
_traced: str | None = None


class use_backend:
    """Run the ops on a back end of your choice, in a ``with`` block or, as a decorator, in a function.

    It counts for every call without a ``backend=`` of its own, in this thread or task, until the block ends; blocks may
    stand in each other. What asks first: the call's ``backend=`` (other than ``"auto"``), the innermost block, the
    environment variable ``LFDEBLUR_BACKEND`` (read when the library is imported), then ``"auto"``. As with
    ``backend=``, nothing falls back: an op that has no such back end, or cannot run on it, raises.

    ``torch.compile`` compiles anew when the choice changes; where several threads choose, its code follows the latest
    block that has not ended.

    Args:
        name: ``"auto"``, ``"cuda"``, ``"triton"``, ``"cpu"``, ``"winograd"`` or ``"reference"``.

    Raises:
        ValueError: another name; by the calls inside, an op that has no such back end.
        TypeError: as a decorator of a generator or an ``async`` function, which runs after the block has ended.
        BackendError: by the calls inside, a back end that cannot run them; it says why.

    Example:
        >>> with lfdeblur_ops.use_backend("reference"):
        ...     y = lfdeblur_ops.dynamic_filter(x, filters, 7)
    """

    def __init__(self, name: str) -> None:
        self._name = _known(name, "name")
        self._entered: list[Token[str]] = []
        self._outer: list[str | None] = []  # what is traced around this

    def __enter__(self) -> None:
        global _traced
        if torch.compiler.is_compiling():
            self._outer.append(_traced)
            _traced = self._name
        else:
            self._entered.append(_choice.set(self._name))
            _follow(self._entered[-1], self._name)

    def __exit__(self, *_: object) -> None:
        global _traced
        if torch.compiler.is_compiling():
            _traced = self._outer.pop()
        else:
            token = self._entered.pop()
            _choice.reset(token)
            _follow(token, None)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        kinds = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        if any(kind(function) for kind in kinds):
            raise TypeError(
                f"use_backend: got {function.__qualname__}, a generator or async function, want a plain one; "
                f"write `with use_backend({self._name!r}):` around the calls in it"
            )

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with use_backend(self._name):
                return function(*args, **kwargs)

        return run


def _follow(block: Token[str], name: str | None) -> None:
    """Let compiled code know that a block begins, or (None) ends."""
    global _latest
    with _changing:
        if name is None:
            del _active[id(block)]
        else:
            _active[id(block)] = name
        _latest = next(reversed(_active.values()), _default)


def chosen() -> str:
    """What a call without ``backend=`` runs on."""
    return (_traced or _latest) if torch.compiler.is_compiling() else _choice.get()
