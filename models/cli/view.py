"""``lfdeblur view``."""

import secrets
from pathlib import Path

from ..data import ReadOptions
from ..networks.shipped import COMPACT, weights_file
from ..system.memory import return_large_blocks
from .options import CommandError, device_of
from .output import say


def view(
    *,
    paths: list[Path] | None,
    port: int | None,
    host: str,
    token: bool,
    browser: bool,
    weights: list[Path] | None,
    device: str,
    read_options: ReadOptions,
) -> None:
    """Do what ``commands/view.py`` declares."""
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
        say(f"{address}  (Ctrl-C ends)")
        if browser:
            open_browser(address)

    serve(app, listening, ready)
