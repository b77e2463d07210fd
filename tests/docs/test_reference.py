"""The reference has every public name once, and names nothing that is not there."""

import importlib
import re
import types

import pytest

from docs._ext.api_pages import names

from . import commands
from .fences import PAGES, ROOT, fences

PACKAGES = (
    *("lfdeblur_ops", "lfdeblur_ops.reference", "lfdeblur_ops.modules"),
    *("lfdeblur_models", "lfdeblur_models.data", "lfdeblur_models.networks", "lfdeblur_models.inference"),
    *("lfdeblur_models.export", "lfdeblur_models.training", "lfdeblur_models.evaluation", "lfdeblur_models.features"),
    *("lfdeblur_models.ablation", "lfdeblur_models.viewer", "lfdeblur_models.io", "lfdeblur_models.drawing"),
)
# Without a list of their own: what is defined there is public.
MODULES = ("lfdeblur_ops.testing", "lfdeblur_ops.distributed")
NO_ENTRY = {"__version__"}
REFERENCE = [entry for page in sorted((ROOT / "docs/reference").glob("*.md")) for entry in names(page.read_text())]
_IMPORT = re.compile(r"^ *from (lfdeblur[\w.]*) import ([\w, ]+)", re.MULTILINE)


def _public():
    for package in PACKAGES:
        for name in importlib.import_module(package).__all__:
            yield package, name
    for module in MODULES:
        for name, value in vars(importlib.import_module(module)).items():
            own = name.isupper() or getattr(value, "__module__", None) == module
            if own and not name.startswith("_"):
                yield module, name


def _imported_on_pages():
    """What the pages tell a reader to import from deeper modules is public too."""
    for page in PAGES:
        for fence in fences(page):
            if fence.language == "python" and fence.reason is None:
                for module, imported in _IMPORT.findall(fence.text):
                    for name in imported.split(","):
                        yield module, name.strip()


def _key(module, name):
    """A thing is documented where it is, under whatever name it is public too; a constant under its name."""
    value = getattr(importlib.import_module(module), name)
    return name if not callable(value) else f"{value.__module__}.{value.__qualname__}"


def test_every_public_name_is_there_once():
    documented = [_key(module, name) for module, name in REFERENCE]
    assert len(documented) == len(set(documented)), sorted(key for key in documented if documented.count(key) > 1)
    missing = {
        f"{module}.{name}"
        for module, name in (*_public(), *_imported_on_pages())
        if name not in NO_ENTRY
        and not isinstance(getattr(importlib.import_module(module), name), types.ModuleType)
        and _key(module, name) not in documented
    }
    assert not missing, "a line in a block ```{api} MODULE of a page of docs/reference"


@pytest.mark.parametrize(("module", "name"), REFERENCE, ids=lambda part: part)
def test_what_is_there_has_a_docstring(module, name):
    value = getattr(importlib.import_module(module), name)
    assert not callable(value) or (value.__doc__ or "").strip()


def test_the_commands_have_a_page_each():
    pages = {path.stem: path.read_text() for path in (ROOT / "docs/commands").glob("*.md") if path.stem != "index"}
    assert set(pages) == set(commands.names())
    index = (ROOT / "docs/commands/index.md").read_text()
    assert all(f"```{{command}} {name}\n" in text and f"({name}.md)" in index for name, text in pages.items())
