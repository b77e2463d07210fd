"""``lfdeblur view``."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from ..data import ReadOptions
from ..networks.shipped import COMPACT, weights_file
from ..system.memory import return_large_blocks
from .options import CommandError, Device, device_of, takes_reading_options


@takes_reading_options
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
    *,
    read_options: ReadOptions,
) -> None:
    """Look at light fields, restore photographs, follow training runs: a page in the browser.

    A server on this machine shows what the paths hold, and nothing else, until Ctrl-C. It needs the extra 'web'.
    """
    try:
        from ..viewer.app import make_app
        from ..viewer.exhibits import find_exhibits
        from ..viewer.guard import is_loopback
        from ..viewer.serve import address_of, bind, open_browser, serve
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("starlette", "uvicorn", "websockets"):
            raise
        raise CommandError(f"view needs {missing}: install the extra 'web' (pip install 'lfdeblur[web]')") from error
    if not is_loopback(host) and not token:
        raise CommandError(f"--host: got {host}, which other machines can reach: add --token")
    known = {COMPACT: weights_file(None)}
    for path in weights or []:
        if not path.is_file():
            raise CommandError(f"--weights: {path}: no such file")
        known[path.name if path.name not in known else str(path)] = path
    return_large_blocks()
    secret = secrets.token_urlsafe(24) if token else None
    exhibits = find_exhibits(paths or [], read_options)
    app = make_app(exhibits, known, host=host, token=secret, device=device_of(device))
    listening = bind(host, port)
    address = address_of(listening, host, secret)

    def ready() -> None:
        typer.echo(f"{address}  (Ctrl-C ends)")
        if browser:
            open_browser(address)

    serve(app, listening, ready)
