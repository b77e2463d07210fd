"""The command ``lfdeblur``."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

import lfdeblur_ops

from .commands._shared import CommandError
from .commands.ablate import ablate
from .commands.deblur import deblur
from .commands.demo import demo
from .commands.evaluate import evaluate
from .commands.generate import generate
from .commands.info import info
from .commands.refocus import refocus
from .commands.train import train
from .data import LightFieldError
from .deblur import WeightsError
from .images import ImageError
from .interrupt import reliable_interrupts
from .output import OutputError

INTERRUPTED = 130  # as shells report SIGINT
_CommandLineError: Any = typer.BadParameter.__mro__[2]  # typer's root of usage errors, which it does not export
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
for command in (info, refocus, generate, deblur, demo, train, evaluate, ablate):
    app.command()(command)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False
) -> None:
    """Light-field refocusing and defocus deblurring."""
    if version:
        typer.echo(f"lfdeblur {lfdeblur_ops.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0, 2 on bad input with one line on stderr, 130 when interrupted."""
    try:
        with reliable_interrupts():
            code = app(args=arguments, prog_name="lfdeblur", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except _CommandLineError as error:
        _fail(error.format_message())
    except (CommandError, ImageError, LightFieldError, OutputError, WeightsError, lfdeblur_ops.BackendError) as error:
        _fail(str(error))
    if code == INTERRUPTED:
        typer.echo("lfdeblur: interrupted", err=True)
    sys.exit(code or 0)


def _fail(message: str) -> None:
    typer.echo(f"lfdeblur: error: {' '.join(message.split())}", err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
