"""The command ``lfdeblur``."""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import lfdeblur_ops

from .contact_sheet import Tile, contact_sheet, thumbnail, write_contact_sheet
from .data import (
    FORMATS,
    LightField,
    LightFieldError,
    estimate_disparity_range,
    generate,
    parse_aperture,
    parse_disparities,
    read_light_field,
    refocus_light,
)
from .data.generate import DEFAULT_APERTURES, output_names, planes_of
from .data.pairs import encode
from .deblur import WeightsError, deblur, load_network, untrained_network
from .demo import STEPS, run_demo
from .images import ImageError, read_image, write_image
from .output import OutputError, check_output_folder, make_output_folder

PLANES_AT_ONCE = 16
INTERRUPTED = 130  # as shells report SIGINT
_CommandLineError: Any = typer.BadParameter.__mro__[2]  # typer's root of usage errors, which it does not export
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class CommandError(ValueError):
    """A bad argument; the message is the whole of what the user sees."""


Format = Annotated[
    str | None, typer.Option(help=f"Format of the light field, else found by looking: {', '.join(FORMATS)}.")
]
Pattern = Annotated[
    str | None, typer.Option(help="Regular expression with groups row and col that matches the views' names.")
]
Lenslet = Annotated[int, typer.Option(min=1, help="Pixels below a lenslet, for the format eslf.")]
Views = Annotated[int | None, typer.Option(min=1, help="Keep the central N x N views.")]
Flip = Annotated[str, typer.Option(help="Turn the order of views: none, rows, columns or both.")]
Out = Annotated[
    Path, typer.Option(help="Folder for the results; made if missing. Files of the same names are replaced.")
]
Disparity = Annotated[
    str, typer.Option(help="Focus planes in pixels per view step: FIRST:LAST:COUNT or numbers with commas.")
]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False
) -> None:
    """Light-field refocusing and defocus deblurring."""
    if version:
        typer.echo(f"lfdeblur {lfdeblur_ops.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def info(
    light_field: Annotated[Path | None, typer.Argument(metavar="[LF]", help="Folder or file of a light field.")] = None,
    format: Format = None,
    pattern: Pattern = None,
    lenslet: Lenslet = 14,
    views: Views = None,
    flip: Flip = "none",
) -> None:
    """Tell about this installation, or about a light field."""
    table = Table(show_header=False, box=None)
    if light_field is None:
        rows: dict[str, Any] = dict(lfdeblur_ops.build_info())
        for op in ("refocus", "dynamic_filter"):
            for backend, state in lfdeblur_ops.backends(op).items():
                rows[f"{op}, {backend}"] = state
    else:
        rows = _describe(
            read_light_field(light_field, format, pattern=pattern, lenslet=lenslet, views=views, flip=flip)
        )
    for name, value in rows.items():
        table.add_row(name, str(value))
    Console(highlight=False, markup=False).print(table)


@app.command()
def refocus(
    light_field: Annotated[Path, typer.Argument(metavar="LF", help="Folder or file of a light field.")],
    out: Out,
    disparity: Disparity,
    aperture: Annotated[str, typer.Option(help="disk:R or square:R, R in view steps.")] = "disk:3",
    interpolation: Annotated[str, typer.Option(help="nearest, bilinear or bicubic.")] = "bilinear",
    format: Format = None,
    pattern: Pattern = None,
    lenslet: Lenslet = 14,
    views: Views = None,
    flip: Flip = "none",
) -> None:
    """Focus a light field on planes: one PNG per plane, and a contact sheet."""
    planes, shape = _parse(parse_disparities, disparity), _parse(parse_aperture, aperture)
    _check_interpolation(interpolation)
    check_output_folder(out)
    field = read_light_field(light_field, format, pattern=pattern, lenslet=lenslet, views=views, flip=flip)
    weights = _parse(shape.weights, field.grid)
    bits = 16 if field.views.dtype == torch.uint16 else 8
    make_output_folder(out)
    columns = math.ceil(math.sqrt(len(planes)))
    width = max(120, min(560, 2400 // columns))
    tiles = []
    with _progress() as progress:
        task = progress.add_task("refocus", total=len(planes))
        for start in range(0, len(planes), PLANES_AT_ONCE):
            chunk = planes[start : start + PLANES_AT_ONCE]
            pictures = encode(refocus_light(field, chunk, weights, interpolation=interpolation))
            for index, (plane, picture) in enumerate(zip(chunk, pictures, strict=True), start):
                write_image(out / f"plane_{index:02d}_d{plane:+.3f}.png", picture, bits=bits)
                tiles.append(Tile(thumbnail(picture, width), f"disparity {plane:g}"))
                progress.advance(task)
    sheet = contact_sheet(tiles, columns=columns, tile_width=width, title=f"{field.scene}, aperture {shape}")
    write_contact_sheet(out / "contact_sheet.png", sheet)
    typer.echo(f"{len(planes)} planes and contact_sheet.png in {out}")


@app.command("generate")
def generate_command(
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
    shapes = [_parse(parse_aperture, text) for text in aperture] if aperture else list(DEFAULT_APERTURES)
    planes = None if disparity is None else _parse(parse_disparities, disparity)
    if bits not in (8, 16):
        raise CommandError(f"--bits: got {bits}, want 8 or 16")
    _check_interpolation(interpolation)
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
            _parse(shape.weights, field.grid)
        names = output_names(field.scene, len(shapes), len(planes_of(field, planes)), dual_pixel=dual_pixel)[1]
        files += 1 + sum(len(kinds) for row in names for kinds in row)
    fields = [field] if len(scenes) == 1 else (read(path) for path in light_fields)
    with _progress() as progress:
        task = progress.add_task("generate", total=files)
        generate(
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


@app.command("deblur")
def deblur_command(
    images: Annotated[list[Path], typer.Argument(metavar="IMG...", help="8- or 16-bit PNG, TIFF or JPEG.")],
    out: Out,
    weights: Annotated[
        Path | None, typer.Option(help="Published checkpoint or own state dict; without it the network is untrained.")
    ] = None,
) -> None:
    """Deblur pictures with DRBNet; each result has the name, format and depth of its picture."""
    check_output_folder(out)
    names: dict[str, Path] = {}
    for path in images:
        read_image(path)  # all are decoded before any is deblurred: a damaged one leaves no files
        if path.name in names:
            raise CommandError(f"{names[path.name]} and {path}: both results would be {out / path.name}")
        if (out / path.name).resolve() == path.resolve():
            raise CommandError(f"{path}: the result would replace it; choose another folder than {out}")
        names[path.name] = path
    if weights is None:
        network = untrained_network()
        typer.echo("lfdeblur: warning: untrained: without --weights the network returns the picture as it is", err=True)
    else:
        network = load_network(weights)
        if network.views != 1:
            raise CommandError(f"{weights}: weights of the dual-view network; single pictures need single-view weights")
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    make_output_folder(out)
    with _progress() as progress:
        task = progress.add_task("deblur", total=len(names))
        for name, path in names.items():
            picture, kept = read_image(path)
            levels = 255 if kept.bits == 8 else 65535
            write_image(out / name, deblur(network, picture.float() / levels), like=kept)
            progress.advance(task)
    typer.echo(f"{len(names)} picture{'s' * (len(names) != 1)} in {out}")


@app.command()
def demo(out: Out = Path("demo")) -> None:
    """Refocus a real light field, render a pair, run DRBNet, and draw all of it on one sheet."""
    check_output_folder(out)
    with _progress() as progress:
        task = progress.add_task("demo", total=len(STEPS))

        def begin(step: str) -> None:
            progress.update(task, description=step, completed=STEPS.index(step))

        path = run_demo(out, begin)
        progress.update(task, completed=len(STEPS))
    typer.echo(str(path))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0, 2 on bad input with one line on stderr, 130 when interrupted."""
    try:
        code = app(args=arguments, prog_name="lfdeblur", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except _CommandLineError as error:
        _fail(error.format_message())
    except (CommandError, ImageError, LightFieldError, OutputError, WeightsError, lfdeblur_ops.BackendError) as error:
        _fail(str(error))
    if code == INTERRUPTED:
        typer.echo("lfdeblur: interrupted", err=True)
    sys.exit(code or 0)


def _fail(message: str) -> None:
    typer.echo(f"lfdeblur: error: {' '.join(message.split())}", err=True)
    sys.exit(2)


def _parse(function: Any, value: Any) -> Any:
    try:
        return function(value)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _check_interpolation(name: str) -> None:
    if name not in ("nearest", "bilinear", "bicubic"):
        raise CommandError(f"--interpolation: got {name!r}, want nearest, bilinear or bicubic")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _describe(field: LightField) -> dict[str, Any]:
    rows, columns = field.grid
    height, width = field.size
    told = {
        "scene": field.scene,
        "format": field.format,
        "views": f"{rows} rows x {columns} columns",
        "size": f"{width} x {height} pixels, {'grey' if field.views.shape[2] == 1 else 'RGB'}, {field.views.dtype}",
        "transfer": field.transfer,
        "disparity range": field.disparity_range or "not told by the files",
        "true disparity": "yes" if field.disparity is not None else "no",
        "weights of views": "from alpha" if field.weights is not None else "all alike",
    }
    return told | {name: value for name, value in field.metadata.items() if name != "camera_positions_vu"}


if __name__ == "__main__":
    main()
