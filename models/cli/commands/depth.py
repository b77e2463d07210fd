"""What ``lfdeblur depth`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand
from ..options import Device, Out


@subcommand(reads=True)
def depth(
    light_field: Annotated[Path, typer.Argument(metavar="LF", help="Folder or file of a light field.")],
    out: Out,
    limits: Annotated[
        str | None,
        typer.Option(metavar="LOW:HIGH", help="Disparities to look between, pixels per view step. Default: found."),
    ] = None,
    points: Annotated[bool, typer.Option("--points", help="Also write points.ply, with colours.")] = False,
    least: Annotated[
        float, typer.Option("--confidence", min=0, max=1, help="Points of less confidence are left out.")
    ] = 0.0,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="BASELINE,FOCAL,FOCUS",
            help="For metric depth where the files tell no camera: metres between views, focal length in pixels, "
            "metres of what has disparity 0 (inf: views are not shifted).",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Estimate how far away everything is: disparity.pfm, .png (16 bits), _coloured.png, confidence.png, depth.json.

    Metric depth.pfm too where the files, or --camera, tell baseline and focal length.
    """
