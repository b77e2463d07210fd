"""What is fetched of light fields: disparity maps, files to save, lines that make the same picture."""

import asyncio
import json
import tempfile
import zipfile
from dataclasses import replace
from threading import Event
from typing import BinaryIO

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from torch import Tensor

from ...data import parse_disparities
from ...io.images import to_integers
from ...io.png import png
from ..answers import attachment, in_thread, printable
from .exhibit import LightFieldExhibit
from .frames import picture_of
from .settings import Settings, python_lines, shell_line

COMPRESSION = 6
MAX_PLANES = 200  # of a stack that is saved


def routes() -> list[Route]:
    """Below ``/api/light-fields``."""
    return [
        Route("/{id}/disparity", _disparity),
        Route("/{id}/picture.png", _picture),
        Route("/{id}/stack.zip", _stack),
        Route("/{id}/code", _code),
    ]


async def _disparity(request: Request) -> Response:
    exhibit = _exhibit(request)
    made = asyncio.wrap_future(exhibit.map())
    made.add_done_callback(lambda done: done.cancelled() or done.exception())  # else told where nobody waits any more
    values = (await asyncio.shield(made)).float().contiguous().numpy()
    low, high = (float(values.min()), float(values.max()))
    headers = {
        "X-Height": str(values.shape[0]),
        "X-Width": str(values.shape[1]),
        "X-Low": f"{low:.6g}",
        "X-High": f"{high:.6g}",
        "X-Source": "true" if exhibit.light_field.disparity is not None else "estimated",
    }
    return Response(values.astype("<f4").tobytes(), media_type="application/octet-stream", headers=headers)


async def _picture(request: Request) -> Response:
    exhibit, settings = _exhibit(request), Settings.of(request.query_params)
    content = await in_thread(request, lambda _: _file(exhibit, settings, picture_of(exhibit, settings)))
    where = "all_in_focus" if settings.all_in_focus else f"d{settings.disparity:+.3f}"
    return attachment(content, f"{printable(exhibit.light_field.scene)}_{where}.png", "image/png")


async def _stack(request: Request) -> Response:
    exhibit, settings = _exhibit(request), Settings.of(request.query_params)
    planes = parse_disparities(request.query_params.get("planes", ""))
    if len(planes) > MAX_PLANES:
        raise ValueError(f"planes: got {len(planes)}, want at most {MAX_PLANES}: lfdeblur refocus writes more")

    def zipped(unwanted: Event) -> BinaryIO:
        file = tempfile.TemporaryFile()  # noqa: SIM115 (closed once it is sent)
        with zipfile.ZipFile(file, "w") as archive:  # stored: PNG is compressed
            for index, plane in enumerate(planes):
                if unwanted.is_set():
                    break
                picture = settings.shot.on_planes(exhibit.light_field, [plane])[0]
                one = replace(settings, disparity=plane, all_in_focus=False)
                archive.writestr(f"plane_{index:02d}_d{plane:+.3f}.png", _file(exhibit, one, picture))
        return file

    return attachment(
        await in_thread(request, zipped), f"{printable(exhibit.light_field.scene)}_stack.zip", "application/zip"
    )


async def _code(request: Request) -> Response:
    exhibit, settings = _exhibit(request), Settings.of(request.query_params)
    lines = {"shell": shell_line(exhibit, settings), "python": python_lines(exhibit, settings)}
    return JSONResponse({name: printable(text) for name, text in lines.items()})


def _exhibit(request: Request) -> LightFieldExhibit:
    exhibit = request.app.state.light_fields.get(request.path_params["id"])
    if exhibit is None:
        raise HTTPException(404, f"no light field {request.path_params['id']!r} is shown here")
    return exhibit


def _file(exhibit: LightFieldExhibit, settings: Settings, picture: Tensor) -> bytes:
    """PNG with the settings in it."""
    values = np.ascontiguousarray(to_integers("picture", picture, exhibit.bits).transpose(1, 2, 0))
    told = {
        "Software": "lfdeblur",
        "lfdeblur": json.dumps(settings.words()),
        "Comment": printable(shell_line(exhibit, settings)),
    }
    return png(values, COMPRESSION, told)
