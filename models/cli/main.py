"""The subcommands put together; errors become one line and an exit code."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

import lfdeblur_ops

from ..io.errors import LfdeblurError
from ..system.interrupts import reliable_interrupts
from .ablate import ablate
from .convert import convert
from .deblur import deblur
from .demo import demo
from .depth import depth
from .epi import epi
from .evaluate import evaluate
from .export import export
from .generate import generate
from .info import info
from .refocus import refocus
from .simulate import simulate
from .train import train
from .view import view

INTERRUPTED = 130  # as shells report SIGINT
_CommandLineError: Any = typer.BadParameter.__mro__[2]  # typer's root of usage errors, which it does not export
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
for command in (
    info,
    depth,
    refocus,
    epi,
    convert,
    generate,
    deblur,
    view,
    export,
    demo,
    train,
    evaluate,
    ablate,
    simulate,
):
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
    except (LfdeblurError, lfdeblur_ops.BackendError) as error:
        _fail(str(error))
    except MemoryError as error:
        _fail(f"not enough memory ({error})" if str(error) else "not enough memory")
    if code == INTERRUPTED:
        typer.echo("lfdeblur: interrupted", err=True)
    sys.exit(code or 0)


def _fail(message: str) -> None:
    typer.echo(f"lfdeblur: error: {' '.join(message.split())}", err=True)
    sys.exit(2)
