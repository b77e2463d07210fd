"""What ``lfdeblur convert`` takes."""

from typing import Annotated

import typer

from ..declare import subcommand
from ..names import LAYOUTS, TRANSFERS
from ..options import choice


@subcommand(reads=True)
def convert(
    sources: Annotated[
        list[str], typer.Argument(metavar="LF...", help="Light fields, and folders of them; whatever generate takes.")
    ],
    to: Annotated[str, choice(LAYOUTS, help=f"Layout: {', '.join(LAYOUTS)}.")],
    out: Annotated[str, typer.Option(help="Folder; made if missing. Each light field is called as its scene.")],
    bits: Annotated[
        int | None, typer.Option(help="Round the views to 8 or 16 bits, for layouts that hold no floating point.")
    ] = None,
    encode: Annotated[
        str | None,
        choice(TRANSFERS, help="Give the values this transfer function: srgb, linear. Default: as they are."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace what is there, whoever wrote it; else only what convert did."),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Write light fields in another layout, so that the same views are read from it, bit for bit.

    What the layout cannot hold is said. The same command goes on where a stopped one was; the exit code is 1 where some
    could not be converted.
    """
