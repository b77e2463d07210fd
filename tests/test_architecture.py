"""``docs/architecture.md`` shows the house as it is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytest.importorskip("grimp", reason="needs the extra dev")


def test_the_drawings_are_those_of_the_import_graph():
    from docs.figures import architecture

    text = architecture.PAGE.read_text()
    assert architecture.updated(text) == text, "run python -m docs.figures.architecture"


def test_every_file_that_is_named_is_there():
    text = (ROOT / "docs" / "architecture.md").read_text()
    files = [f"/{path.as_posix()}" for top in ("models", "lfdeblur_ops") for path in (ROOT / top).rglob("*.py")]
    named = set(re.findall(r"`([a-z_0-9/]+\.py)`", text))
    assert not [name for name in named if not any(file.endswith(f"/{name}") for file in files)]
