"""Errors: one base that the command catches, and each can be imported from the package whose docstrings name it."""

import ast
import builtins
import importlib
import inspect
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

import lfdeblur_models
import lfdeblur_models.data
from lfdeblur_models import LfdeblurError, cli
from lfdeblur_models.cli.options import bad_option

ERROR = re.compile(r"\b[A-Z]\w*Error\b")
ROOTS = ("lfdeblur_models", "lfdeblur_ops")


def named(docstring: str | None) -> set[str]:
    """The errors of a docstring's section Raises, but for those of Python."""
    raises = re.search(r"\bRaises\b(.*)", docstring or "", re.DOTALL)
    return {name for name in ERROR.findall(raises[1] if raises else "") if not hasattr(builtins, name)}


def of_modules() -> Iterator[tuple[str, str, str]]:
    """Package, place and error of all that is public by its name; a room's package stands for its inner folders."""
    for root in ROOTS:
        folder = Path(str(resources.files(root)))
        for file in sorted(folder.rglob("*.py")):
            *folders, module = file.relative_to(folder).with_suffix("").parts
            if any(part.startswith("_") for part in (*folders, module)):
                continue
            package = root if root == "lfdeblur_ops" or not folders else f"{root}.{folders[0]}"
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                    for error in named(ast.get_docstring(node)):
                        yield package, f"{'/'.join((*folders, module))}.py: {node.name}", error


def of_exports() -> Iterator[tuple[str, str, str]]:
    """The same of what a package exports, wherever it is defined."""
    for package in ("lfdeblur_models", "lfdeblur_models.data", "lfdeblur_ops"):
        module = importlib.import_module(package)
        for name in module.__all__:
            found = getattr(module, name)
            methods = [m for _, m in inspect.getmembers(found, inspect.isfunction)] if inspect.isclass(found) else []
            for documented in (found, *methods):
                if inspect.isroutine(documented) or inspect.isclass(documented):
                    for error in named(documented.__doc__):
                        yield package, f"{name}: {documented.__qualname__}", error


def test_every_error_that_a_docstring_names_can_be_imported_from_its_package():
    found = [*of_modules(), *of_exports()]
    assert {error for _, _, error in found} >= {"BackendError", "BudgetError", "LightFieldError", "WeightsError"}
    missing = [
        f"from {package} import {error}  # {place}"
        for package, place, error in found
        if not hasattr(importlib.import_module(package), error)
    ]
    assert not missing


def error_classes() -> set[type[Exception]]:
    """Every error class that the models define."""
    folder = Path(str(resources.files("lfdeblur_models")))
    found = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                module = ".".join(("lfdeblur_models", *file.relative_to(folder).with_suffix("").parts))
                found.add(getattr(importlib.import_module(module), node.name))
    return found


def test_one_base_of_all_errors():
    found = error_classes()
    assert len(found) == 17
    assert all(issubclass(error, LfdeblurError) for error in found)
    assert lfdeblur_models.data.LfdeblurError is LfdeblurError
    # Callers catch what they caught before there was a base.
    other = {error for error in found if not issubclass(error, ValueError)}
    assert {error.__name__ for error in other} == {"LfdeblurError", "DivergedError"}
    assert issubclass(importlib.import_module("lfdeblur_models.training").DivergedError, ArithmeticError)


@pytest.mark.parametrize("error", sorted(error_classes(), key=lambda error: error.__name__))
def test_the_command_tells_each_in_one_line(monkeypatch, capsys, error):
    def app(**_):
        raise error("the file\nis bad")

    # By its module: the package's attribute of this name is the function.
    monkeypatch.setattr(importlib.import_module("lfdeblur_models.cli.main"), "app", app)
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "lfdeblur: error: the file is bad\n"


def test_memory_that_is_not_there_is_one_line(monkeypatch, capsys):
    def app(**_):
        raise MemoryError("Unable to allocate 1.82 TiB")

    monkeypatch.setattr(importlib.import_module("lfdeblur_models.cli.main"), "app", app)
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "lfdeblur: error: not enough memory (Unable to allocate 1.82 TiB)\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("--memory", "--memory: shard_scenes: got 0"),
        ("--", "--shard-scenes: got 0"),
        ("", "shard_scenes: got 0"),
    ],
)
def test_a_bad_option_is_named(name, message):
    with pytest.raises(cli.CommandError, match=f"^{message}$"), bad_option(name):
        raise ValueError("shard_scenes: got 0")
    with pytest.raises(OSError, match="disk full"), bad_option(name):  # not the option's fault
        raise OSError("disk full")
