"""``lfdeblur generate``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..data import LightField, estimate_disparity_range, parse_aperture, parse_disparities, read_light_field
from ..data import generate as generate_pairs
from ..data.generate import DEFAULT_APERTURES, output_names, planes_of
from ..output import check_output_folder
from ._shared import CommandError, Flip, Format, Lenslet, Out, Pattern, Views, check_interpolation, parse, progress_bar


def generate(
    light_fields: Annotated[list[Path], typer.Argument(metavar="LF...", help="Folders or files of light fields.")],
    out: Out,
    aperture: Annotated[
        list[str] | None, typer.Option(help="disk:R or square:R, R in view steps; repeat for several.")
    ] = None,
    disparity: Annotated[
        str | None, typer.Option(help="Focus planes; default: 5 evenly over the scene's disparity range.")
    ] = None,
    bits: Annotated[int, typer.Option(help="8 or 16 per channel.")] = 8,
    dual_pixel: Annotated[bool, typer.Option("--dual-pixel", help="Also write the left and right views.")] = False,
    interpolation: Annotated[str, typer.Option(help="nearest, bilinear or bicubic.")] = "bilinear",
    format: Format = None,
    pattern: Pattern = None,
    lenslet: Lenslet = 14,
    views: Views = None,
    flip: Flip = "none",
) -> None:
    """Make training pairs in LFDOF's layout: input/SCENE/SCENE_apA_PP.png and ground_truth/SCENE.png."""
    shapes = [parse(parse_aperture, text) for text in aperture] if aperture else list(DEFAULT_APERTURES)
    planes = None if disparity is None else parse(parse_disparities, disparity)
    if bits not in (8, 16):
        raise CommandError(f"--bits: got {bits}, want 8 or 16")
    check_interpolation(interpolation)
    check_output_folder(out)

    def read(path: Path) -> LightField:
        field = read_light_field(path, format, pattern=pattern, lenslet=lenslet, views=views, flip=flip)
        field = field.with_center()
        if planes is None and field.disparity_range is None:
            field = replace(field, disparity_range=estimate_disparity_range(field))
        return field

    # All are read before any is rendered: a damaged one must not leave half of the others' files behind.
    scenes: dict[str, Path] = {}
    files = 0
    for path in light_fields:
        field = read(path)
        if field.scene in scenes:
            raise CommandError(f"{scenes[field.scene]} and {path}: both are called {field.scene!r}; rename one")
        scenes[field.scene] = path
        for shape in shapes:
            parse(shape.weights, field.grid)
        names = output_names(field.scene, len(shapes), len(planes_of(field, planes)), dual_pixel=dual_pixel)[1]
        files += 1 + sum(len(kinds) for row in names for kinds in row)
    fields = [field] if len(scenes) == 1 else (read(path) for path in light_fields)
    with progress_bar() as progress:
        task = progress.add_task("generate", total=files)
        generate_pairs(
            fields,
            out,
            apertures=shapes,
            disparities=planes,
            bits=bits,
            dual_pixel=dual_pixel,
            interpolation=interpolation,
            progress=lambda written: progress.advance(task, written),
        )
    typer.echo(f"{files} pictures of {len(scenes)} scene{'s' * (len(scenes) != 1)} in {out}")
