"""``lfdeblur generate``."""

from typing import Annotated

import typer

from ..data import OnRay, Processes, ReadOptions, parse_aperture, parse_disparities, parse_noise
from ..data import generate as generate_pairs
from ..data.generation.recipe import DEFAULT_APERTURES, Recipe
from ..data.sources.find import Reading
from ..data.sources.from_depth import Synthesis
from ..system.memory import keep_freed_memory
from .options import CommandError, bad_option, check_interpolation, takes_reading_options
from .progress import progress_bar

BROKEN = 1  # exit code: some scenes could not be read


@takes_reading_options
def generate(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Light fields; folders of RGB-D (NAME_color, NAME_depth) or stereo with disparity (Middlebury); "
            "photographs; folders of such folders; or lf:PATH, rgbd:COLOUR,DEPTH, stereo:LEFT,DISPARITY, photo:PATH.",
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder, made if missing, or a URL that fsspec writes to (s3://...).")],
    aperture: Annotated[
        list[str] | None,
        typer.Option(
            help="disk:R, square:R, polygon:R:BLADES[:DEGREES], annulus:R:INNER or cateye:R:CUT, R in view steps; "
            "repeat for several."
        ),
    ] = None,
    disparity: Annotated[
        str | None, typer.Option(help="Focus planes: FIRST:LAST:COUNT or numbers with commas; default: --planes.")
    ] = None,
    planes: Annotated[int, typer.Option(help="Focus planes per scene, where --disparity does not tell them.")] = 5,
    placement: Annotated[
        str, typer.Option(help="even over the scene's disparity range, or by its content (texture).")
    ] = "even",
    truth: Annotated[
        str,
        typer.Option(
            help="center (view), refocus (all views by the disparity map), or both; their difference is told."
        ),
    ] = "center",
    scale: Annotated[int, typer.Option(help="1, or 2 for twice the views' resolution.")] = 1,
    noise: Annotated[str | None, typer.Option(help="Sensor noise SHOT:READ in units of white, as 0.001:0.002.")] = None,
    bits: Annotated[int, typer.Option(help="8 or 16 per channel.")] = 8,
    dual_pixel: Annotated[bool, typer.Option("--dual-pixel", help="Also write the left and right views.")] = False,
    defocus_maps: Annotated[bool, typer.Option(help="Write a defocus map with every pair.")] = True,
    contact_sheets: Annotated[bool, typer.Option(help="Write a sheet of small pictures per scene.")] = True,
    layout: Annotated[str, typer.Option(help="lfdof (folders) or webdataset (tar shards).")] = "lfdof",
    shard_scenes: Annotated[int, typer.Option(help="Scenes in a shard of webdataset.")] = 8,
    interpolation: Annotated[str, typer.Option(help="nearest, bilinear or bicubic.")] = "bilinear",
    seed: Annotated[int, typer.Option(min=0, help="Of all that is random.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    ray: Annotated[bool, typer.Option("--ray", help="Run as a Ray pipeline; needs the extra 'ray'.")] = False,
    spread: Annotated[
        float, typer.Option(help="Disparity from far to near of light fields made from one picture.")
    ] = 3.0,
    *,
    read_options: ReadOptions,
) -> None:
    """Make training pairs: input/SCENE/SCENE_apA_PP.png and ground_truth/SCENE.png as in LFDOF, and manifest.parquet.

    The same command goes on where a stopped one was. Broken scenes are listed in report.json; the exit code is then 1.
    """
    with bad_option():
        shapes = tuple(map(parse_aperture, aperture)) if aperture else DEFAULT_APERTURES
        focus = None if disparity is None else tuple(parse_disparities(disparity))
        sensor = None if noise is None else parse_noise(noise)
    if bits not in (8, 16):
        raise CommandError(f"--bits: got {bits}, want 8 or 16")
    check_interpolation(interpolation)
    with bad_option("--"):
        recipe = Recipe(
            apertures=shapes,
            disparities=focus,
            planes=planes,
            placement=placement,
            truth=truth,
            scale=scale,
            noise=sensor,
            bits=bits,
            dual_pixel=dual_pixel,
            defocus_maps=defocus_maps,
            contact_sheets=contact_sheets,
            interpolation=interpolation,
            layout=layout,
            shard_scenes=shard_scenes,
            seed=seed,
        )
    with bad_option():
        synthesis = Synthesis(spread=spread)
    reading = Reading(read_options, synthesis, seed)
    keep_freed_memory()
    with progress_bar() as progress:
        task = progress.add_task("generate", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        executor = OnRay(workers) if ray else Processes(workers)
        made = generate_pairs(sources, out, recipe, reading=reading, executor=executor, progress=show)
    typer.echo(f"{made.pairs} pairs of {made.scenes} scene{'s' * (made.scenes != 1)} in {out} ({made.files} files)")
    if made.stages.seconds:
        typer.echo(f"work: {made.stages.shares()}")
    for failure in made.failures:
        typer.echo(f"lfdeblur: broken: {failure['scene']}: {failure['error']}", err=True)
    if made.failures:
        raise typer.Exit(BROKEN)
