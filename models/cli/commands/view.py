"""What ``lfdeblur view`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand
from ..options import Device


@subcommand(reads=True, writes=False)
def view(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Light fields, pictures, folders of training runs. Default: a demo."),
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: any free one.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's own needs --token.")] = (
        "127.0.0.1"
    ),
    token: Annotated[
        bool, typer.Option("--token", help="Answer only who shows the random token of the address that is printed.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    weights: Annotated[
        list[Path] | None, typer.Option(help="Weights to choose from for photographs, beside those that ship.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Look at light fields, restore photographs, follow training runs: a page in the browser.

    A server on this machine shows what the paths hold, and nothing else, until Ctrl-C. It needs the extra 'web'.
    """
