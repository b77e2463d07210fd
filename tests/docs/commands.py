"""Command lines of the pages, run in this process: a new one would import PyTorch first."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from lfdeblur_models import cli

from . import stand_ins
from .fences import ROOT


class NotKnown(Exception):
    """A line that nothing here can run or check."""


def run(line: str, folder: Path) -> None:
    """Run a line, or check what it names where running it would install or build something."""
    words = shlex.split(line, comments=True)
    while "&&" in words:
        at = words.index("&&")
        run(shlex.join(words[:at]), folder)
        words = words[at + 1 :]
    if words[0] == "lfdeblur":
        _lfdeblur(words[1:], folder)
    elif words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        makefile = (ROOT / "Makefile").read_text()
        missing = [target for target in targets if not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)]
        assert not missing, f"no such target: {missing}"
    elif words[:2] == ["pip", "install"]:
        _check_extras(words[2:])
    elif words[:2] == ["python", "-c"]:
        exec(words[2].replace("720, 1280", "48, 64"), {})
    else:
        raise NotKnown(line)


def _lfdeblur(words: list[str], folder: Path) -> None:
    arguments = [new for word in words for new in stand_ins.WORDS.get(word, [word])]
    command = next((word for word in words if not word.startswith("-")), "")
    arguments += stand_ins.SHORT.get(command, [])
    if command == "evaluate" and "stack" in arguments and "--root" not in arguments:
        arguments += stand_ins.OF_STACK
    arguments = [argument.replace("/data/", f"{folder}/data/") for argument in arguments]
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 0, f"lfdeblur {shlex.join(arguments)}: exit code {end.value.code}"


def _check_extras(words: list[str]) -> None:
    project = (ROOT / "pyproject.toml").read_text()
    for word in words:
        for extra in re.findall(r"\[([\w,]+)\]", word):
            for name in extra.split(","):
                assert re.search(rf"^{name} = \[", project, re.MULTILINE), f"no extra {name}"


def names() -> list[str]:
    """All subcommands."""
    root = typer.main.get_command(cli.app)
    return list(root.list_commands(root.make_context("lfdeblur", [], resilient_parsing=True)))  # type: ignore[attr-defined]


def options(command: str) -> set[str]:
    """All options of a subcommand."""
    root = typer.main.get_command(cli.app)
    context = root.make_context("lfdeblur", [], resilient_parsing=True)
    found = root.get_command(context, command) if command else root  # type: ignore[attr-defined]
    assert found is not None, f"no command {command}"
    return {"--help", "-h", *(spelt for one in found.params for spelt in (*one.opts, *one.secondary_opts))}
