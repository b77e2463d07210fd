"""Defaults of a user's own: ``lfdeblur.toml`` and the environment."""

import os
import re
import sys
from collections.abc import Iterator
from os.path import isfile
from pathlib import Path
from typing import Any

import typer

from ..system.suggestions import did_you_mean
from .options import CommandError, bad_option

FILE = "lfdeblur.toml"
_used: list[Path] = []


def apply_defaults(context: typer.Context, told: Path | None = None) -> None:
    """Have the subcommands take their defaults from the files there are.

    The command line comes before the environment, that before the file of the working folder or the nearest folder
    above it, that before the user's.

    Args:
        context: of the whole command.
        told: this file, and no other.

    Raises:
        CommandError: a file that cannot be read, or that names a command or an option which there is not.
    """
    if told is not None and (told.is_dir() or not told.exists()):  # /dev/null is one: no defaults
        raise CommandError(f"--config-file: {told}: {'is a folder, want a file' if told.is_dir() else 'no such file'}")
    files = [told] if told is not None else list(files_found())
    _used[:] = files
    merged: dict[str, dict[str, Any]] = {}
    for file in files:
        for command, values in _read(file, context.command).items():
            merged.setdefault(command, {}).update(values)
    context.default_map = merged


def files_used() -> list[Path]:
    """Those that the command takes defaults from."""
    return list(_used)


def files_found() -> Iterator[Path]:
    """The user's file and the project's, where they are: the later one counts for more."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "lfdeblur" / FILE
    if isfile(home):
        yield home
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it was removed
        return
    yield from [folder / FILE for folder in (here, *here.parents) if isfile(folder / FILE)][:1]


def _read(file: Path, group: Any) -> dict[str, dict[str, Any]]:
    """For each command the values of its parameters, by these's names."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))  # editors of Windows put a mark first
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CommandError(f"{file}: not a readable TOML file ({error})") from error
    found: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise CommandError(f"{file}: {name}: got {table!r}, want a table of options, as [deblur]")
        if name not in group.commands:
            raise CommandError(f"{file}: [{name}]: no such command{did_you_mean(name, group.commands)}")
        options = options_of(group.commands[name])
        for key, value in table.items():
            option = key.replace("_", "-")
            if option not in options:
                raise CommandError(f"{file}: {name}.{key}: no such option{did_you_mean(option, options)}")
            with bad_option(f"{file}: {name}.{key}"):
                found.setdefault(name, {})[options[option].name] = _value(options[option], value)
    return found


def _value(parameter: Any, value: Any) -> Any:
    """One of TOML as the option takes it. Raises ValueError: of another type."""
    if isinstance(value, dict):
        raise ValueError("got a table, want a value")
    if parameter.multiple:
        return value if isinstance(value, list) else [value]
    if isinstance(value, list):
        raise ValueError("got a list, want one value")
    if isinstance(value, bool) and not (parameter.is_flag or parameter.count):
        raise ValueError(f"got {str(value).lower()}, want a value")
    return value


def variable(command: Any, option: str) -> str:
    """Of the environment, for an option by its name: ``LFDEBLUR_DEBLUR_MEMORY``."""
    return f"LFDEBLUR_{command.name}_{option}".upper().replace("-", "_")


def misspelt(command: Any) -> list[str]:
    """What is wrong with variables of the environment that begin as those of a command do."""
    start = variable(command, "")
    known = [variable(command, option).removeprefix(start) for option in options_of(command)]
    wrong = sorted({name.removeprefix(start) for name in os.environ if name.startswith(start)} - {*known})
    return [f"{start}{name}: no such option of {command.name}{did_you_mean(name, known)}" for name in wrong]


def options_of(command: Any) -> dict[str, Any]:
    """The parameter of each long option, by the option's name without its dashes."""
    return {
        name.removeprefix("--"): parameter
        for parameter in command.params
        if parameter.param_type_name == "option"
        for name in parameter.opts
        if name.startswith("--")
    }


def told_by(message: str) -> str:
    """Where the option that an error names was told, for the end of the error; empty for the command line."""
    option = re.search(r"--([a-z][a-z-]*)", message)
    command = _last_context
    if option is None or command is None:
        return ""
    parameter = options_of(command.command).get(option[1])
    source = None if parameter is None else command.get_parameter_source(parameter.name)
    if source is not None and source.name == "ENVIRONMENT":
        return f" (from {variable(command.command, option[1])})"
    if source is not None and source.name == "DEFAULT_MAP":
        return f" (from {' or '.join(map(str, _used))})"
    return ""


_last_context: Any = None


def remember(context: Any) -> None:
    """The subcommand whose arguments are read: what ``told_by`` speaks of."""
    global _last_context
    _last_context = context
