"""``{command} NAME`` on a page: what ``lfdeblur NAME`` says of itself, from the command's own parameters.

Not sphinxcontrib-typer: it draws the terminal's help as one block, which can neither be linked nor wrapped at the width
of a telephone, and reads click's objects where typer has its own.
"""

import re
from pathlib import Path
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import lfdeblur_models.cli

_GENERAL = "Options"
_FACTS = re.compile(r"(.*?)(?:\s*\[((?:default|required|env var|x[<>]|\d+<)[^\]]*)\])?", re.DOTALL)
_CODE = re.compile(r"((?<![\w-])--[a-z][\w-]*|\b\w+\.(?:toml|png|csv|json|pfm|ply|webp|lfp|ckpt|safetensors)\b)")


def command_of(name: str) -> tuple[Any, Any]:
    """Command and context of a subcommand, or of the program itself for ``lfdeblur``."""
    root = typer.main.get_command(lfdeblur_models.cli.app)
    context = root.make_context("lfdeblur", [], resilient_parsing=True)
    if name == "lfdeblur":
        return root, context
    command: Any = root.get_command(context, name)  # type: ignore[attr-defined]
    return command, type(context)(command, info_name=name, parent=context)


def names() -> list[str]:
    root, context = command_of("lfdeblur")
    return list(root.list_commands(context))


def prose(text: str) -> list[nodes.Node]:
    """Paragraphs of a help text."""
    paragraphs = (" ".join(part.split()) for part in text.replace("\b", "").split("\n\n"))
    return [nodes.paragraph("", "", *_words(part)) for part in paragraphs if part]


def _words(text: str) -> list[nodes.Node]:
    """Options and files as code."""
    parts = _CODE.split(text)
    return [nodes.literal("", part) if number % 2 else nodes.Text(part) for number, part in enumerate(parts) if part]


def anchor(command: str, parameter: Any) -> str:
    return f"{command}-{parameter.name.replace('_', '-')}"


def entry(command: str, parameter: Any, context: Any) -> nodes.definition_list_item:
    """A parameter: how it is written, what it does, and what typer adds: its default, its environment variable."""
    written, text = parameter.get_help_record(context)
    text, facts = _FACTS.fullmatch(text).groups()  # type: ignore[union-attr]
    told = [*prose(text), *([_told(facts)] if facts else [])]
    term = nodes.term("", "", nodes.literal("", " ".join(written.split())), ids=[anchor(command, parameter)])
    return nodes.definition_list_item("", term, nodes.definition("", *told))


def _told(facts: str) -> nodes.paragraph:
    """``env var: X; default: Y; required`` as words and code."""
    parts: list[nodes.Node] = []
    for fact in sorted(facts.split("; "), key=lambda fact: fact.startswith("env var")):
        name, colon, value = fact.partition(": ")
        words = {"env var": "environment"}.get(name, name if name.isalpha() else "")
        parts.append(nodes.Text("; " * bool(parts) + words + " " * bool(words and (colon or not name.isalpha()))))
        if colon or not words:
            parts.append(nodes.literal("", value or name))
    return nodes.paragraph("", "", *parts, classes=["facts"])


def described(name: str) -> list[nodes.Node]:
    command, context = command_of(name)
    usage = command.get_usage(context).split(":", 1)[1].split()
    out: list[nodes.Node] = [nodes.literal_block("", " ".join(usage), language="text"), *prose(command.help or "")]
    groups: dict[str, list[Any]] = {}
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        argument = parameter.param_type_name == "argument"
        panel = getattr(parameter, "rich_help_panel", None) or ("Arguments" if argument else _GENERAL)
        groups.setdefault(panel, []).append(parameter)
    for panel, parameters in groups.items():
        out.append(nodes.rubric("", panel))
        entries = [entry(name, parameter, context) for parameter in parameters]
        out.append(nodes.definition_list("", *entries, classes=["parameters"]))
    return [*out, *prose(command.epilog or "")]


class Command(SphinxDirective):
    """What a command says of itself; the search finds each of its options."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        program = name if name == "lfdeblur" else f"lfdeblur {name}"
        for parameter in command_of(name)[0].params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                self.env.domains.standard_domain.add_program_option(
                    program, option, self.env.docname, anchor(name, parameter)
                )
        for file in (__file__, *Path(lfdeblur_models.cli.__file__).parent.rglob("*.py")):
            self.env.note_dependency(str(file))
        return described(name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("command", Command)
    return {"parallel_read_safe": True}
