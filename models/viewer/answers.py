"""Answers of the server that several parts give."""

from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..io.errors import LfdeblurError
from .session import Session


def attachment(content: bytes, name: str, kind: str) -> Response:
    """A file to save under this name."""
    disposition = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=kind, headers={"Content-Disposition": disposition})


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
