"""One page that is open: its socket, the frames on their way to it, and what it owns."""

import asyncio
import json
import logging
import secrets
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from ..io.errors import LfdeblurError

UNPAINTED = 2  # frames of a kind that may be on their way: one is painted while the next is drawn


class Closeable(Protocol):
    """What a page can own."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Frame:
    """A picture for the page: what it is, in words, and its JPEG or PNG bytes."""

    header: dict[str, Any]
    picture: bytes


@dataclass(frozen=True)
class Artist:
    """Who draws one kind of requests, and where: an executor of one thread draws one at a time, for all pages in turn.

    ``draw`` takes a request and gives its frames; a ``LfdeblurError`` or ``ValueError`` becomes a message on the page.
    """

    draw: Callable[[dict[str, Any]], Sequence[Frame]]
    executor: Executor


class _Requests:
    """The newest request of a kind, and how many of its frames are not painted yet. Older requests are dropped."""

    def __init__(self) -> None:
        self.newest: dict[str, Any] | None = None
        self.unpainted: list[int] = []
        self.changed = asyncio.Event()

    def put(self, request: dict[str, Any]) -> None:
        self.newest = request
        self.changed.set()

    def drop(self) -> None:
        self.newest = None

    def painted(self, number: int) -> None:
        """Frames come in order: those before it were painted, or passed over by the page."""
        self.unpainted = [other for other in self.unpainted if other > number]
        self.changed.set()

    async def take(self) -> dict[str, Any]:
        """The newest, once there is one and the page has room for its frame."""
        while self.newest is None or len(self.unpainted) >= UNPAINTED:
            self.changed.clear()
            await self.changed.wait()
        request, self.newest = self.newest, None
        return request


class Session:
    """One page, from the opening of its socket to its end.

    Args:
        socket: accepted already.
        artists: by the kind of request: ``draft``, ``full``, ``epipolar``.
    """

    def __init__(self, socket: WebSocket, artists: dict[str, Artist]) -> None:
        self.id = secrets.token_urlsafe(16)
        self._socket, self._artists = socket, artists
        self._loop = asyncio.get_running_loop()
        self._requests = {kind: _Requests() for kind in artists}
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._owned: list[Closeable] = []
        self._lock = asyncio.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message to the page, from any thread; after its end nothing happens."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._messages.put_nowait, message)

    def own(self, thing: Closeable) -> None:
        """``thing.close()`` is called, in a thread, when the page has gone."""
        self._owned.append(thing)

    async def run(self) -> None:
        """Serve the page until it goes."""
        self.send({"session": self.id})
        work = [self._receive(), self._tell(), *(self._draw(kind) for kind in self._artists)]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for thing in self._owned:
                await asyncio.to_thread(thing.close)
        for task in done:
            error = task.exception()
            if error is not None and not isinstance(error, (WebSocketDisconnect, ConnectionError)):
                raise error

    async def _receive(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text") or ""
            try:
                self._take(json.loads(text))
            except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError):
                self.send({"error": f"a message that this server does not know: {text[:80]!r}", "number": None})

    def _take(self, message: dict[str, Any]) -> None:
        if "painted" in message:
            for requests in self._requests.values():
                requests.painted(int(message["painted"]))
            return
        number = int(message["number"])
        if "picture" in message:
            asked = dict(message["picture"])
            kind, other = ("draft", "full") if asked.get("draft") else ("full", "draft")
            self._requests[other].drop()
        else:
            asked, kind = dict(message["epipolar"]), "epipolar"
        self._requests[kind].put(asked | {"number": number})

    async def _draw(self, kind: str) -> None:
        requests, artist = self._requests[kind], self._artists[kind]
        while True:
            request = await requests.take()
            try:
                frames = await self._loop.run_in_executor(artist.executor, artist.draw, request)
            except Exception as error:
                self.send({"error": _told(error, kind), "number": request["number"]})
                continue
            requests.unpainted.append(request["number"])
            for frame in frames:
                header = json.dumps({**frame.header, "number": request["number"]}).encode()
                async with self._lock:
                    await self._socket.send_bytes(struct.pack("<I", len(header)) + header + frame.picture)

    async def _tell(self) -> None:
        while True:
            message = await self._messages.get()
            async with self._lock:
                await self._socket.send_text(json.dumps(message))


def _told(error: Exception, kind: str) -> str:
    """One line for the page; of a fault of ours the rest stands where the server runs, and the page goes on."""
    if isinstance(error, (LfdeblurError, ValueError)):
        return " ".join(str(error).split())
    logging.getLogger(__name__).error("%s could not be drawn", kind, exc_info=error)
    return "this picture could not be drawn: see the server's messages"


class Sessions:
    """The pages that are open, by their ids."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}

    def get(self, id: str) -> Session | None:
        return self._open.get(id)

    async def serve(self, session: Session) -> None:
        self._open[session.id] = session
        try:
            await session.run()
        finally:
            del self._open[session.id]
