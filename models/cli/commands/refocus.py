"""What ``lfdeblur refocus`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand
from ..names import APERTURE_FORMS, HALVES, INTERPOLATIONS, PLANES
from ..options import Out, check_shape, checked, choice


@subcommand(reads=True)
def refocus(
    light_field: Annotated[Path, typer.Argument(metavar="LF", help="Folder or file of a light field.")],
    out: Out,
    disparity: Annotated[
        str | None,
        typer.Option(
            help="Focus planes in pixels per view step: FIRST:LAST:COUNT, numbers with commas, or auto or auto:COUNT: "
            f"evenly over what the scene spans. Default: auto, {PLANES} planes."
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="X,Y", help="Focus on what this pixel of the centre view shows.")
    ] = None,
    all_in_focus: Annotated[
        bool, typer.Option("--all-in-focus", help="One picture, all in focus, by the disparity of every pixel.")
    ] = False,
    aperture: Annotated[
        str | None, checked(check_shape, help=f"{APERTURE_FORMS}; radii in view steps. Default: disk:3.")
    ] = None,
    viewpoint: Annotated[
        str, typer.Option(metavar="V,U", help="Look from there: view steps down and to the right of the centre.")
    ] = "0,0",
    half: Annotated[
        str, choice(HALVES, help=f"Of the aperture: {', '.join(HALVES)}, as dual-pixel cameras see.")
    ] = "whole",
    exposure: Annotated[float, typer.Option(help="In stops: 1 is twice the light.")] = 0.0,
    interpolation: Annotated[
        str | None,
        choice(INTERPOLATIONS, help="nearest, bilinear or bicubic. Default: bilinear; all in focus: bicubic."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the planes of another stack that the folder holds.")
    ] = False,
) -> None:
    """Focus a light field on planes: one PNG per plane, a contact sheet, and the stack as an animation (WebP).

    Without --disparity the planes are spread over what the scene spans. With --all-in-focus instead one picture,
    all_in_focus.png.
    """
