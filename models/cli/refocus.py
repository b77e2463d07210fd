"""``lfdeblur refocus``."""

import math
from pathlib import Path
from typing import Annotated

import torch
import typer

from ..data import ReadOptions, disparity_of, parse_aperture, parse_disparities
from ..data.light_field import LightField
from ..data.readers.registry import read_as_told
from ..data.rendering.aperture import FORMS
from ..data.rendering.shot import HALVES, Shot, parse_viewpoint
from ..drawing.animation import write_animation
from ..drawing.contact_sheet import Tile, contact_sheet, thumbnail, write_contact_sheet
from ..io.atomic import check_output_folder, make_output_folder
from ..io.images import write_image
from .options import CommandError, Out, bad_option, takes_reading_options
from .progress import progress_bar

PLANES_AT_ONCE = 16
APERTURE_HELP = f"{FORMS}; radii in view steps."


@takes_reading_options
def refocus(
    light_field: Annotated[Path, typer.Argument(metavar="LF", help="Folder or file of a light field.")],
    out: Out,
    disparity: Annotated[
        str | None,
        typer.Option(help="Focus planes in pixels per view step: FIRST:LAST:COUNT or numbers with commas."),
    ] = None,
    all_in_focus: Annotated[
        bool, typer.Option("--all-in-focus", help="One picture, all in focus, by the disparity of every pixel.")
    ] = False,
    aperture: Annotated[str, typer.Option(help=APERTURE_HELP)] = "disk:3",
    viewpoint: Annotated[
        str, typer.Option(metavar="V,U", help="Look from there: view steps down and to the right of the centre.")
    ] = "0,0",
    half: Annotated[
        str, typer.Option(help=f"Of the aperture: {', '.join(HALVES)}, as dual-pixel cameras see.")
    ] = "whole",
    exposure: Annotated[float, typer.Option(help="In stops: 1 is twice the light.")] = 0.0,
    interpolation: Annotated[
        str | None, typer.Option(help="nearest, bilinear or bicubic. Default: bilinear; all in focus: bicubic.")
    ] = None,
    *,
    read_options: ReadOptions,
) -> None:
    """Focus a light field on planes: one PNG per plane, a contact sheet, and the stack as an animation (WebP).

    With --all-in-focus instead one picture, all_in_focus.png.
    """
    if (disparity is None) != all_in_focus:
        raise CommandError(f"--disparity: {'missing' if disparity is None else 'got one'}, want it or --all-in-focus")
    with bad_option():
        planes = [] if disparity is None else parse_disparities(disparity)
        shape = parse_aperture(aperture)
    with bad_option("--"):
        shot = Shot(shape, parse_viewpoint(viewpoint), half, exposure, interpolation)
    check_output_folder(out)
    field = read_as_told(light_field, read_options)
    with bad_option():
        shot.weights(field.grid)
    if all_in_focus:
        field = field.with_center()
    make_output_folder(out)
    bits = 16 if field.dtype == torch.uint16 else 8
    if all_in_focus:
        write_image(out / "all_in_focus.png", shot.all_in_focus(field, disparity_of(field)), bits=bits)
        typer.echo(f"all_in_focus.png in {out}")
    else:
        _write_planes(field, shot, planes, out, bits)
        typer.echo(f"{len(planes)} planes, contact_sheet.png and stack.webp in {out}")


def _write_planes(field: LightField, shot: Shot, planes: list[float], out: Path, bits: int) -> None:
    columns = math.ceil(math.sqrt(len(planes)))
    width = max(120, min(560, 2400 // columns))
    tiles = []
    with progress_bar() as progress:
        task = progress.add_task("refocus", total=len(planes))
        for start in range(0, len(planes), PLANES_AT_ONCE):
            chunk = planes[start : start + PLANES_AT_ONCE]
            for index, (plane, picture) in enumerate(zip(chunk, shot.on_planes(field, chunk), strict=True), start):
                write_image(out / f"plane_{index:02d}_d{plane:+.3f}.png", picture, bits=bits)
                tiles.append(Tile(thumbnail(picture, width), f"disparity {plane:g}"))
                progress.advance(task)
    write_animation(out / "stack.webp", [tile.picture for tile in tiles])
    sheet = contact_sheet(tiles, columns=columns, tile_width=width, title=f"{field.scene}, aperture {shot.aperture}")
    write_contact_sheet(out / "contact_sheet.png", sheet)
