"""The subcommands put together; errors become one line and an exit code."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..io.errors import LfdeblurError
from ..system.interrupts import reliable_interrupts
from ..system.suggestions import did_you_mean, nearest
from ..system.version import __version__
from .commands import COMMANDS
from .declare import QUIET, VERBOSE
from .defaults import apply_defaults, told_by
from .output import failed, messages, set_level
from .parser import Command, Group

INTERRUPTED = 130  # as shells report SIGINT
_CommandLineError: Any = typer.BadParameter.__mro__[2]  # typer's root of usage errors, which it does not export
_VARIABLE = re.compile(r" \(env var: '\w+'\)")
_NO_COMMAND = re.compile(r"No such command '(.*?)'")
_NAMES = [command.__name__ for commands in COMMANDS.values() for command in commands]
_CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 10_000,  # as wide as the terminal is
}
app = typer.Typer(
    name="lfdeblur", cls=Group, context_settings=_CONTEXT, pretty_exceptions_enable=False, rich_markup_mode=None
)
for _panel, _commands in COMMANDS.items():
    for _command in _commands:
        app.command(cls=Command, rich_help_panel=_panel)(_command)


@app.callback(
    invoke_without_command=True,
    epilog='Each option has a default of yours in lfdeblur.toml ([deblur] memory = "2GB"), in the working folder, '
    "one above it or ~/.config/lfdeblur, or in the environment (LFDEBLUR_DEBLUR_MEMORY=2GB).",
)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    config_file: Annotated[
        Path | None,
        typer.Option(
            envvar="LFDEBLUR_CONFIG_FILE",
            help="Take the defaults of options from this file, and no other lfdeblur.toml.",
        ),
    ] = None,
    quiet: Annotated[bool, QUIET] = False,
    verbose: Annotated[int, VERBOSE] = 0,
) -> None:
    """Light-field refocusing and defocus deblurring."""
    if version:
        typer.echo(f"lfdeblur {__version__}")
        raise typer.Exit
    set_level(quiet, verbose)
    apply_defaults(context, config_file)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0, 2 on bad input with one line on stderr, 130 when interrupted."""
    with messages():
        sys.exit(_exit_code(arguments))


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        with reliable_interrupts():
            code = app(args=arguments, prog_name="lfdeblur", standalone_mode=False) or 0
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except _CommandLineError as error:
        return _bad(_in_our_words(error))
    except LfdeblurError as error:
        return _bad(str(error))
    except MemoryError as error:
        return _bad(f"not enough memory ({error})" if str(error) else "not enough memory")
    except ValueError as error:
        if not str(error).startswith("LFDEBLUR_"):  # a variable that the ops read, LFDEBLUR_BACKEND
            raise
        return _bad(str(error))
    except RuntimeError as error:
        ops = sys.modules.get("lfdeblur_ops")  # not imported here: PyTorch comes with it
        if ops is None or not isinstance(error, ops.BackendError):
            raise
        return _bad(str(error))
    if code == INTERRUPTED:
        failed("interrupted")
    return int(code)


def _in_our_words(error: Any) -> str:
    """What typer says, with one suggestion as the other errors have it."""
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        known = {name.strip("-"): name for name in error.possibilities or ()}  # dashes are alike in all of them
        near = nearest(option.strip("-"), known)
        return f"No such option: {option}" + (f"; did you mean {known[near]}?" if near else "")
    said = _VARIABLE.sub("", str(error.format_message()))  # where a value is from ``told_by`` says, if not the line
    if unknown := _NO_COMMAND.match(said):
        return f"{unknown[0]}{did_you_mean(unknown[1], _NAMES)}"
    return said


def _bad(message: str) -> int:
    failed(f"error: {message}{told_by(message)}")
    return 2
