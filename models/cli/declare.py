"""``subcommand``: how a file of ``commands/`` declares what a subcommand takes, without importing what it does."""

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from .defaults import files_used
from .options import reading_options, reading_parameters
from .output import note, set_level

COMMON = "Of every command"  # the part of the help
QUIET = typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=COMMON, show_default=False)
VERBOSE = typer.Option(
    "--verbose", "-v", count=True, help="Say more; twice: all.", rich_help_panel=COMMON, show_default=False, metavar=""
)
DRY_RUN = typer.Option("--dry-run", help="Check all, tell what would be written, and write nothing.")


def subcommand(*, reads: bool = False, writes: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A function whose parameters and docstring are those of a subcommand; its body is that of another.

    ``commands/depth.py`` has the options of ``depth``, and ``depth.py`` the function that is called with them, by name,
    imported when it is called: so ``lfdeblur depth --help`` imports no PyTorch.

    Args:
        reads: it also has the options that tell how a light field is read; the function is given ``read_options``.
        writes: it also has ``--dry-run``; the function is given ``dry_run``.
    """

    def declared(command: Callable[..., None]) -> Callable[..., None]:
        name = command.__name__

        @functools.wraps(command)
        def run(**given: Any) -> None:
            set_level(given.pop("quiet"), given.pop("verbose"))
            for file in files_used():
                note(f"defaults from {file}")
            if reads:
                given["read_options"] = reading_options(**{key: given.pop(key) for key in reading})
            getattr(importlib.import_module(f".{name}", __package__), name)(**given)

        own = inspect.signature(command).parameters
        parameters = list(own.values())
        if writes:
            parameters.append(_parameter("dry_run", bool, DRY_RUN, False))
        more = reading_parameters(list(own)) if reads else []
        reading = [one.name for one in more]
        common = [_parameter("quiet", bool, QUIET, False), _parameter("verbose", int, VERBOSE, 0)]
        parameters += [*more, *common]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
        del run.__wrapped__
        return run

    return declared


def _parameter(name: str, kind: type, option: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Annotated[kind, option], default=default
    )
