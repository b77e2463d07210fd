"""What is asked of photographs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ..answers import session_of
from ..exhibits import PhotographExhibit
from .album import Album
from .display import part_jpeg
from .picture import Picture, clean_name
from .result import read_mask, result_name, write_result
from .studio import Studio

MAX_BYTES = 256 << 20  # of a file
MAX_MASK_BYTES = 32 << 20
N = TypeVar("N", int, float)


def routes() -> list[Route]:
    """Below ``/api/photographs``, where ``upload`` stands itself."""
    return [
        Route("/prepare", _prepare, methods=["POST"]),
        Route("/{id}", _remove, methods=["DELETE"]),
        Route("/{id}/cancel", _cancel, methods=["POST"]),
        Route("/{id}/start", _start, methods=["POST"]),
        Route("/{id}/part", _part),
        Route("/{id}/result", _result, methods=["POST"]),
    ]


async def upload(request: Request) -> Response:
    """Take a picture, the body or one that the command named, and queue it."""
    asked, studio = request.query_params, _studio(request)
    album = studio.album(session_of(request))
    weights = studio.networks.check(asked.get("weights", ""))
    if "exhibit" in asked:
        exhibit = request.app.state.exhibits.get(asked["exhibit"])
        if not isinstance(exhibit, PhotographExhibit):
            raise HTTPException(404, f"no photograph {asked['exhibit']!r} is shown here")
        picture = await asyncio.to_thread(album.add, exhibit.path, exhibit.path.name)
    else:
        async with _received(request, album) as path:
            picture = await asyncio.to_thread(album.add, path, clean_name(asked.get("name", "")))
    studio.start(album, picture, weights)
    height, width = picture.size
    facts = {"width": width, "height": height, "bits": picture.info.bits}
    return JSONResponse({"id": picture.id, "name": picture.name, **facts})


async def _prepare(request: Request) -> Response:
    """Make a network ready before its first picture comes."""
    studio = _studio(request)
    session_of(request)
    weights = studio.networks.check(request.query_params.get("weights", ""))
    await asyncio.to_thread(studio.networks.get, weights)
    return Response(status_code=204)


async def _cancel(request: Request) -> Response:
    album, picture = _asked(request)
    album.cancel(picture)
    return Response(status_code=204)


async def _start(request: Request) -> Response:
    album, picture = _asked(request)
    studio = _studio(request)
    studio.start(album, picture, studio.networks.check(request.query_params.get("weights", "")))
    return Response(status_code=204)


async def _remove(request: Request) -> Response:
    album, picture = _asked(request)
    await asyncio.to_thread(album.remove, picture)
    return Response(status_code=204)


async def _part(request: Request) -> Response:
    album, picture = _asked(request)
    asked = request.query_params
    x, y, width, height = (_number(asked, name, int) for name in ("x", "y", "width", "height"))
    scale, side = _number(asked, "scale", float), asked.get("side", "after")
    if side not in ("before", "after"):
        raise ValueError(f"side: got {side!r}, want before or after")

    def drawn() -> bytes:
        pixels = album.pixels(picture)
        shown = pixels.after if side == "after" and pixels.after is not None else pixels.before
        return part_jpeg(shown, picture.info, (x, y, width, height), scale)

    jpeg = await asyncio.get_running_loop().run_in_executor(_studio(request).hands, drawn)
    return Response(jpeg, media_type="image/jpeg")


async def _result(request: Request) -> Response:
    album, picture = _asked(request)
    strength = _number(request.query_params, "strength", float) if "strength" in request.query_params else 1.0
    content = await _small_body(request)
    if picture.state != "done":
        raise HTTPException(409, f"{picture.name}: is not restored yet")
    name = result_name(picture.name, picture.info)

    def written() -> Path:
        mask = read_mask(content) if content else None
        pixels = album.pixels(picture)
        if pixels.after is None:
            raise HTTPException(409, f"{picture.name}: is not restored yet")
        path = album.place_of_result(Path(name).suffix)
        write_result(path, picture.info, pixels.before, pixels.after, strength, mask)
        return path

    path = await asyncio.to_thread(written)
    return FileResponse(
        path,
        media_type=f"image/{picture.info.format}",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"},
        background=BackgroundTask(path.unlink, missing_ok=True),
    )


@asynccontextmanager
async def _received(request: Request, album: Album) -> AsyncIterator[Path]:
    """The body as a file, which goes if the block fails."""
    _check_size(int(request.headers.get("content-length", 0)), MAX_BYTES)
    path, received = album.place(), 0
    try:
        with path.open("wb") as file:
            async for chunk in request.stream():
                received += len(chunk)
                _check_size(received, MAX_BYTES)
                file.write(chunk)
        yield path
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, FileNotFoundError | ClientDisconnect):  # the page went, and its folder with it
            raise HTTPException(404, "this page's session has ended: reload it") from error
        if isinstance(error, OSError):
            raise HTTPException(507, f"the server cannot keep the file: {error.strerror}") from error
        raise


async def _small_body(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        _check_size(len(content) + len(chunk), MAX_MASK_BYTES)
        content += chunk
    return bytes(content)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise HTTPException(413, f"the file: got {size / 2**20:.0f} MB or more, want at most {limit >> 20} MB")


def _number(asked: Mapping[str, str], name: str, kind: Callable[[str], N]) -> N:
    with suppress(ValueError):
        return kind(asked.get(name, ""))
    raise ValueError(f"{name}: got {asked.get(name, '')!r}, want a number")


def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


def _asked(request: Request) -> tuple[Album, Picture]:
    album = _studio(request).album(session_of(request))
    return album, album.get(request.path_params["id"])
