"""The house's docstrings as Sphinx and napoleon want them: ``Returns:`` and ``Raises:`` may go on in their own line."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_HEAD = re.compile(r"^(Returns|Yields|Raises|Args|Attributes):(?: (.*))?$")
_NAME = r"[A-Z]\w*(?:Error|Interrupt|Abort)"
_ERROR = re.compile(rf"(?:^|\n|(?<=[.;] ))({_NAME}(?:, {_NAME})*)(?=: |\.?$)")
_PAGE = re.compile(r"(``)?\bdocs/([\w/]+)\.md\b(?(1)``)")


def sections(lines: list[str]) -> list[str]:
    """A docstring's lines with one field for what is returned, and one for each error."""
    out: list[str] = []
    kept = [_PAGE.sub(r":doc:`/\2`", line) for line in lines]
    while kept:
        head = _HEAD.match(kept[0])
        if head is None or (head[1] in ("Args", "Attributes") and not head[2]):
            out.append(kept.pop(0))
            continue
        kept.pop(0)
        body = [head[2]] if head[2] else []
        while kept and (not kept[0].strip() or kept[0].startswith(" ")):
            body.append(kept.pop(0))
        out += ["", *_fields(head[1], body), ""]
    return out


def _fields(section: str, body: list[str]) -> list[str]:
    if section in ("Args", "Attributes"):
        return ["Args: " + " ".join(line.strip() for line in body)]
    if section != "Raises":
        first = [line.strip() for line in body]
        return [":returns: " + first[0], *("    " + line for line in first[1:])]
    parts = _ERROR.split("\n".join(line.strip() for line in body if line.strip()))
    errors = [(names, " ".join(text[1:].split())) for names, text in zip(parts[1::2], parts[2::2], strict=True)]
    return [f":raises {name}: {text}" for names, text in errors for name in names.split(", ")]


def process(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    lines[:] = sections(lines)


def skip(app: Sphinx, what: str, name: str, value: Any, skipped: bool, options: Any) -> bool | None:
    """Fields of named tuples, options of pydantic and PyTorch's hook of ``print`` say nothing that a reader wants."""
    return True if type(value).__name__ == "_tuplegetter" or name in ("model_config", "extra_repr") else None


def dashes(app: Sphinx, doctree: nodes.document) -> None:
    """Between a parameter and what it is stands a dash; Sphinx writes two hyphens for its ``smartquotes`` to join."""
    for field in doctree.findall(nodes.field_body):
        for text in list(field.findall(nodes.Text)):
            if text == " -- ":
                text.parent.replace(text, nodes.Text(" \N{EN DASH} "))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process, priority=100)  # before napoleon
    app.connect("autodoc-skip-member", skip)
    app.connect("doctree-read", dashes)
    return {"parallel_read_safe": True}
