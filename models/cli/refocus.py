"""``lfdeblur refocus``."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer

from ..data import ReadOptions, disparity_of, parse_aperture, parse_disparities
from ..data.depth.focus import PLANES, disparity_at, own_planes
from ..data.depth.regularity import regular
from ..data.light_field import LightField
from ..data.readers.registry import read_as_told
from ..data.rendering.aperture import FORMS
from ..data.rendering.planes import MAX_PLANES
from ..data.rendering.shot import HALVES, Shot, parse_viewpoint
from ..drawing.animation import write_animation
from ..drawing.contact_sheet import Tile, contact_sheet, disparity_label, thumbnail, write_contact_sheet
from ..io.atomic import check_output_folder, make_output_folder
from ..io.images import write_image
from .options import CommandError, Out, bad_option, takes_reading_options, warn
from .progress import progress_bar

PLANES_AT_ONCE = 16
AUTO = "auto"
APERTURE = "disk:3"
APERTURE_HELP = f"{FORMS}; radii in view steps."


@takes_reading_options
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
    aperture: Annotated[str | None, typer.Option(help=f"{APERTURE_HELP} Default: {APERTURE}.")] = None,
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

    Without --disparity the planes are spread over what the scene spans. With --all-in-focus instead one picture,
    all_in_focus.png.
    """
    told = {"--disparity": disparity is not None, "--at": at is not None, "--all-in-focus": all_in_focus}
    if sum(told.values()) > 1:
        raise CommandError(f"got {' and '.join(name for name, given in told.items() if given)}, want one of them")
    with bad_option():
        where = _focus(disparity, at)
        shape = parse_aperture(aperture or APERTURE)
    with bad_option("--"):
        shot = Shot(shape, parse_viewpoint(viewpoint), half, exposure, interpolation)
    check_output_folder(out)
    field = read_as_told(light_field, read_options)
    with bad_option():
        shot.weights(field.grid)
    if aperture is not None and shape.radius > max(field.grid) / 2:
        rows, columns = field.grid
        warn(f"--aperture: {shape} is wider than the {rows}x{columns} views: its blur is as square as these")
    if field.positions is not None:
        field = regular(field)
        typer.echo("views are warped to an exact grid, from where their cameras stood")
    if all_in_focus or at is not None:
        field = field.with_center()
    bits = 16 if field.dtype == torch.uint16 else 8
    if all_in_focus:
        picture = shot.all_in_focus(field, disparity_of(field))
        write_image(make_output_folder(out) / "all_in_focus.png", picture, bits=bits)
        typer.echo(f"all_in_focus.png in {out}")
    else:
        planes = where(field)
        make_output_folder(out)
        _write_planes(field, shot, planes, out, bits)
        typer.echo(f"{len(planes)} plane{'s' * (len(planes) != 1)}, contact_sheet.png and stack.webp in {out}")


def _focus(disparity: str | None, at: str | None) -> Callable[[LightField], list[float]]:
    """The focus planes of a light field, from what the options say. Raises ValueError: one is bad."""
    if at is not None:
        x, y = _pixel(at)
        return lambda field: [disparity_at(field, x, y)]
    word, _, count = (disparity or AUTO).partition(":")
    if word != AUTO:
        planes = parse_disparities(disparity or "")
        return lambda field: planes
    if count and not (count.isdecimal() and 1 <= int(count) <= MAX_PLANES):
        raise ValueError(f"--disparity: got {disparity!r}, want auto:COUNT with a count from 1 to {MAX_PLANES}")
    return lambda field: own_planes(field.with_center(), int(count) if count else PLANES)


def _pixel(text: str) -> tuple[int, int]:
    x, _, y = text.partition(",")
    if not (x.strip().isdecimal() and y.strip().isdecimal()):
        raise ValueError(f"--at: got {text!r}, want X,Y, whole pixels from the left and from the top")
    return int(x), int(y)


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
                tiles.append(Tile(thumbnail(picture, width), disparity_label(plane)))
                progress.advance(task)
    write_animation(out / "stack.webp", [tile.picture for tile in tiles])
    sheet = contact_sheet(tiles, columns=columns, tile_width=width, title=f"{field.scene}, aperture {shot.aperture}")
    write_contact_sheet(out / "contact_sheet.png", sheet)
