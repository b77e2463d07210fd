"""The server's parts put together."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import torch
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

import lfdeblur_ops

from .answers import HANDLERS, printable
from .exhibits import Exhibit
from .guard import Guard
from .light_fields.exhibit import LightFieldExhibit
from .light_fields.frames import LightFieldFrames
from .light_fields.routes import routes as light_field_routes
from .photographs.routes import routes as photograph_routes
from .photographs.routes import upload
from .photographs.studio import Studio
from .runs.exhibit import RunExhibit
from .runs.routes import routes as run_routes
from .session import Artist, Session, Sessions

PAGE = Path(__file__).parent / "page"


def make_app(
    exhibits: Sequence[Exhibit],
    weights: Mapping[str, Path],
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    device: torch.device | str = "cpu",
) -> Starlette:
    """The server as an ASGI application.

    Args:
        exhibits: what the pages show.
        weights: files of weights for photographs, by the names that the pages show; the first is chosen.
        host: where the server will listen.
        token: None, or what every request has to show.
        device: where photographs are restored.
    """
    drafts, fulls = (ThreadPoolExecutor(1, name) for name in ("draft", "full"))
    known = {printable(name): path for name, path in weights.items()}
    studio = Studio(known, torch.device(device))
    shown = {exhibit.id: exhibit for exhibit in exhibits if isinstance(exhibit, LightFieldExhibit)}

    def close() -> None:
        for exhibit in shown.values():
            exhibit.close()
        for executor in (drafts, fulls):
            executor.shutdown(cancel_futures=True)
        studio.close()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(close)

    app = Starlette(
        routes=[
            Route("/", _index),
            Route("/api/exhibits", _exhibits),
            WebSocketRoute("/api/socket", _socket),
            Mount("/api/light-fields", routes=light_field_routes()),
            Route("/api/photographs", upload, methods=["POST"]),
            Mount("/api/photographs", routes=photograph_routes()),
            Mount("/api/runs", routes=run_routes()),
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        middleware=[Middleware(Guard, host=host, token=token)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    frames = LightFieldFrames(shown)
    app.state.exhibits = {exhibit.id: exhibit for exhibit in exhibits}
    app.state.light_fields, app.state.weights, app.state.device = shown, known, torch.device(device)
    app.state.runs = {exhibit.id: exhibit for exhibit in exhibits if isinstance(exhibit, RunExhibit)}
    app.state.sessions, app.state.studio = Sessions(), studio
    app.state.artists = {
        "draft": Artist(frames.draft, drafts),
        "full": Artist(frames.full, fulls),
        "epipolar": Artist(frames.epipolar, drafts),
    }
    return app


async def _index(request: Request) -> Response:
    return FileResponse(PAGE / "index.html")


async def _exhibits(request: Request) -> Response:
    state = request.app.state
    told = [{"id": one.id, "kind": one.kind, **one.facts()} for one in state.exhibits.values()]
    return JSONResponse({"exhibits": told, "weights": list(state.weights), "version": lfdeblur_ops.__version__})


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    state = socket.app.state
    await state.sessions.serve(Session(socket, state.artists))
