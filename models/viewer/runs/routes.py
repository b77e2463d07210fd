"""What is asked of training runs: curves as they grow, and validation pictures."""

import asyncio
from dataclasses import asdict
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .exhibit import RunExhibit
from .log import CURVES, read_rows, seconds_since_change, steps_of


def routes() -> list[Route]:
    """Below ``/api/runs``."""
    return [Route("/{id}", _curves), Route("/{id}/picture", _picture)]


async def _curves(request: Request) -> Response:
    run = _run(request)
    places = {name: request.query_params.get(name, "") for name in CURVES}

    def told() -> dict[str, Any]:
        rows = {name: asdict(read_rows(run.path / f"{name}.csv", place)) for name, place in places.items()}
        return {
            **rows,
            "pictures": run.pictures.names(),
            "steps": steps_of(run.path),
            "changed": seconds_since_change(run.path),
        }

    return JSONResponse(await asyncio.to_thread(told))


async def _picture(request: Request) -> Response:
    run, name = _run(request), request.query_params.get("name", "")
    step = request.query_params.get("step", "")
    if not step.isdecimal():
        raise ValueError(f"step: got {step!r}, want a whole number")
    return Response(await asyncio.to_thread(run.pictures.picture, name, int(step)), media_type="image/png")


def _run(request: Request) -> RunExhibit:
    run: RunExhibit | None = request.app.state.runs.get(request.path_params["id"])
    if run is None:
        raise HTTPException(404, f"no run {request.path_params['id']!r} is shown here")
    return run
