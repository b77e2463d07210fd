"""Packages whose names are imported when they are asked for: ``import lfdeblur_models`` takes no time."""

import dis
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from types import CodeType, ModuleType
from typing import Any


def import_when_asked(package: str) -> None:
    """Have a package import its names when they are asked for: those below ``if TYPE_CHECKING:`` in its file.

    They stand there once, and type checkers, editors and Sphinx see them as they see any others. Modules of the package
    are attributes too, as where something has imported them; one that is called like a name never takes its place.

    Args:
        package: its ``__name__``; the call stands in its file.
    """
    sys.modules[package].__class__ = _LazyPackage


class _LazyPackage(ModuleType):
    """PEP 562 as a class, for ``__setattr__``, which a module cannot have: imports set modules as attributes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":  # asked for by tools: no reason to read the file
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        homes = self._homes()
        if name in homes:
            module, there = homes[name]
            home = importlib.import_module(module, self.__name__)
            is_module = not hasattr(home, there)
            value = importlib.import_module(f"{home.__name__}.{there}") if is_module else getattr(home, there)
        elif importlib.util.find_spec(f"{self.__name__}.{name}") is not None:
            value = importlib.import_module(f"{self.__name__}.{name}")
        else:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        vars(self)[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in self._homes()):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *vars(self).get("__all__", ())})

    def _homes(self) -> dict[str, tuple[str, str]]:
        """For each name its module, and what it is called there."""
        known = vars(self).get("_homes_")
        if known is None:
            loader: Any = self.__spec__.loader if self.__spec__ is not None else None
            known = vars(self)["_homes_"] = dict(_imported(loader.get_code(self.__name__)) if loader else ())
        return known


def _imported(code: CodeType) -> Iterator[tuple[str, tuple[str, str]]]:
    """Names that the file imports from modules, run or not; by its code, since programs are shipped without sources."""
    level, module, name = 0, "", ""
    numbers = [0]
    for step in dis.get_instructions(code):
        if isinstance(step.argval, int) and step.opname.startswith("LOAD_"):
            numbers.append(step.argval)
        elif step.opname == "IMPORT_NAME":
            level, module = numbers[-1], step.argval
        elif step.opname == "IMPORT_FROM":
            name = step.argval
        elif step.opname == "STORE_NAME" and name:
            yield step.argval, ("." * level + module, name)
            name = ""


class OtherName(ModuleType):
    """A second name in ``sys.modules`` for a module, which is imported when something in it is asked for."""

    def __init__(self, name: str, target: str) -> None:
        super().__init__(name)
        vars(self)["_target"] = target

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(vars(self)["_target"]), name)
