"""The server's life: a port, an address to open, until Ctrl-C."""

import asyncio
import logging
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

import uvicorn
import websockets  # noqa: F401 (uvicorn's, which would ask for it late)
from starlette.applications import Starlette

from .errors import ViewError

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MESSAGE_BYTES = 1 << 16  # the largest message of a page; pictures come by POST


def bind(host: str, port: int | None) -> socket.socket:
    """A socket that listens; ``port`` None: any free one. Raises ViewError where it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise ViewError(f"cannot listen on {host}, port {port or 'any'}: {error.strerror or error}") from error
    return listening


def address_of(listening: socket.socket, host: str, token: str | None) -> str:
    """What to open in a browser."""
    name = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):
        name = socket.gethostname()
    return f"http://{name}:{listening.getsockname()[1]}/" + (f"?token={quote(token)}" if token else "")


class _NoCancelled(logging.Filter):
    """Requests that are under way when the server ends are no errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        return not cancelled and "timeout graceful shutdown exceeded" not in record.getMessage()


def settings_of_server(app: Starlette) -> uvicorn.Config:
    """How uvicorn runs the app."""
    errors = logging.getLogger("uvicorn.error")
    if not any(isinstance(known, _NoCancelled) for known in errors.filters):
        errors.addFilter(_NoCancelled())
    return uvicorn.Config(
        app,
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=MESSAGE_BYTES,
        ws_per_message_deflate=False,  # JPEG does not get smaller
        timeout_graceful_shutdown=1,
    )


class _Server(uvicorn.Server):
    """uvicorn's, whose signals are ``serve``'s: a second Ctrl-C would leave out the end of what is under way."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(app: Starlette, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Answer until Ctrl-C, SIGTERM or the closing of the terminal; ``ready`` is called once requests are answered."""
    server = _Server(settings_of_server(app))

    def end(number: int, frame: object) -> None:
        server.should_exit = True

    async def run() -> None:
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started and not server.should_exit:
            ready()
        await serving

    before = {number: signal.signal(number, end) for number in ENDS}
    loop = asyncio.new_event_loop()  # asyncio.run would take SIGINT for itself
    try:
        loop.run_until_complete(run())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def open_browser(address: str) -> None:
    """In a thread: some browsers hold their caller up."""
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
