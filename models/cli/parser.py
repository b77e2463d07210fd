"""Help as wide as the terminal: whole summaries, and options in parts, the command's own first."""

import re
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

from .declare import COMMON
from .defaults import misspelt, options_of, remember, variable
from .output import warn

# Newer typers put brackets around metavars, those too that have some.
_ARGUMENT = re.compile(r"^(?:\{(.+?)\}|\[(\[.+?\](?:\.\.\.)?)\])(?:\.\.\.)?$")
_EVERYWHERE = ("help", "install_completion", "show_completion")


def _sections(command: Any, context: Any, formatter: Any, first: str) -> None:
    """Options by their panels, in the order in which these come first."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], first: []}
    for parameter in command.get_params(context):
        parameter.show_envvar = False  # each option has one: the last lines of ``lfdeblur --help`` tell its name
        record = parameter.get_help_record(context)
        if record is None:
            continue
        panel = COMMON if parameter.name in _EVERYWHERE else getattr(parameter, "rich_help_panel", None)
        if parameter.param_type_name == "argument":
            sections["Arguments"].append((record[0].partition(" <")[0], record[1]))
        else:
            sections.setdefault(panel or first, []).append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


class Command(TyperCommand):
    """A subcommand; its help is plain text, and each of its options has a variable of the environment."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for option, parameter in options_of(self).items():
            parameter.envvar = variable(self, option)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        remember(ctx)
        for message in () if ctx.resilient_parsing else misspelt(self):
            warn(message)
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [_ARGUMENT.sub(lambda found: found[1] or found[2], piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _sections(self, ctx, formatter, "Options")


class Group(TyperGroup):
    """The command itself: its subcommands by what they are for."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        _sections(self, ctx, formatter, "Options")

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            sections.setdefault(command.rich_help_panel, []).append((name, _summary(command.help or "")))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(_aligned(rows))


def _summary(text: str) -> str:
    """The first paragraph."""
    return " ".join(text.partition("\n\n")[0].split())


def _aligned(rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names of one width, so that the parts' columns stand below each other."""
    return [(f"{name:<8}", text) for name, text in rows]
