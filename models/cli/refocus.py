"""``lfdeblur refocus``."""

import math
from pathlib import Path
from typing import Annotated

import torch
import typer

from ..data import ReadOptions, parse_aperture, parse_disparities, refocus_light
from ..data.readers.registry import read_as_told
from ..data.rendering.aperture import FORMS
from ..data.rendering.pairs import encode
from ..drawing.animation import write_animation
from ..drawing.contact_sheet import Tile, contact_sheet, thumbnail, write_contact_sheet
from ..io.atomic import check_output_folder, make_output_folder
from ..io.images import write_image
from .options import Disparity, Out, bad_option, check_interpolation, takes_reading_options
from .progress import progress_bar

PLANES_AT_ONCE = 16
APERTURE_HELP = f"{FORMS}; radii in view steps."


@takes_reading_options
def refocus(
    light_field: Annotated[Path, typer.Argument(metavar="LF", help="Folder or file of a light field.")],
    out: Out,
    disparity: Disparity,
    aperture: Annotated[str, typer.Option(help=APERTURE_HELP)] = "disk:3",
    interpolation: Annotated[str, typer.Option(help="nearest, bilinear or bicubic.")] = "bilinear",
    *,
    read_options: ReadOptions,
) -> None:
    """Focus a light field on planes: one PNG per plane, a contact sheet, and the stack as an animation (WebP)."""
    with bad_option():
        planes, shape = parse_disparities(disparity), parse_aperture(aperture)
    check_interpolation(interpolation)
    check_output_folder(out)
    field = read_as_told(light_field, read_options)
    with bad_option():
        weights = shape.weights(field.grid)
    bits = 16 if field.views.dtype == torch.uint16 else 8
    make_output_folder(out)
    columns = math.ceil(math.sqrt(len(planes)))
    width = max(120, min(560, 2400 // columns))
    tiles = []
    with progress_bar() as progress:
        task = progress.add_task("refocus", total=len(planes))
        for start in range(0, len(planes), PLANES_AT_ONCE):
            chunk = planes[start : start + PLANES_AT_ONCE]
            pictures = encode(refocus_light(field, chunk, weights, interpolation=interpolation))
            for index, (plane, picture) in enumerate(zip(chunk, pictures, strict=True), start):
                write_image(out / f"plane_{index:02d}_d{plane:+.3f}.png", picture, bits=bits)
                tiles.append(Tile(thumbnail(picture, width), f"disparity {plane:g}"))
                progress.advance(task)
    write_animation(out / "stack.webp", [tile.picture for tile in tiles])
    sheet = contact_sheet(tiles, columns=columns, tile_width=width, title=f"{field.scene}, aperture {shape}")
    write_contact_sheet(out / "contact_sheet.png", sheet)
    typer.echo(f"{len(planes)} planes, contact_sheet.png and stack.webp in {out}")
