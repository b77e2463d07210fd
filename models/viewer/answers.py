"""Answers of the server that several parts give."""

import asyncio
import os
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from ..io.errors import LfdeblurError
from .session import Session

T = TypeVar("T")
WATCH = 0.25  # seconds between looks whether the page still waits
PIECE = 1 << 20  # bytes of a file that are held at a time


def attachment(content: bytes | BinaryIO, name: str, kind: str) -> Response:
    """A file to save under this name; of a file that is open, all that is in it, and it is closed then."""
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    if isinstance(content, bytes):
        return Response(content, media_type=kind, headers=headers)
    headers["Content-Length"] = str(content.seek(0, os.SEEK_END))
    content.seek(0)
    return StreamingResponse(_pieces(content), media_type=kind, headers=headers)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


def printable(text: str) -> str:
    """A name as it can be sent: names of files are any bytes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def in_thread(request: Request, work: Callable[[Event], T]) -> T:
    """What ``work`` gives, made in a thread; its event is set once nobody waits for it any more."""
    unwanted = Event()
    done = asyncio.ensure_future(asyncio.to_thread(work, unwanted))
    try:
        while not (await asyncio.wait([done], timeout=WATCH))[0]:
            if await request.is_disconnected():
                unwanted.set()
        return done.result()
    except asyncio.CancelledError:
        unwanted.set()
        raise


def session_of(request: Request) -> Session:
    """The page that asks, told by ``?session=``; else 404."""
    session = request.app.state.sessions.get(request.query_params.get("session", ""))
    if session is None:
        raise HTTPException(404, "this page's session has ended: reload it")
    return session


async def refused(request: Request, error: Exception) -> Response:
    """An error of what was asked for, as one line."""
    status = error.status_code if isinstance(error, HTTPException) else 422
    said: Any = error.detail if isinstance(error, HTTPException) else str(error)
    return JSONResponse({"error": " ".join(str(said).split())}, status)


HANDLERS: Any = {HTTPException: refused, LfdeblurError: refused, ValueError: refused}
