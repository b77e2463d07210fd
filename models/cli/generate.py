"""``lfdeblur generate``."""

import typer

from ..data import OnRay, Processes, ReadOptions, parse_aperture, parse_disparities, parse_noise
from ..data import generate as generate_pairs
from ..data.generation.recipe import DEFAULT_APERTURES, Recipe
from ..data.sources.find import Reading
from ..data.sources.from_depth import Synthesis
from ..system.memory import keep_freed_memory
from ..system.progress import Progress
from .options import CommandError, bad_option
from .output import failed, note, say
from .progress import progress_bar
from .scenes import would_write

BROKEN = 1  # exit code: some scenes could not be read


def generate(
    *,
    sources: list[str],
    out: str,
    aperture: list[str] | None,
    disparity: str | None,
    planes: int,
    placement: str,
    truth: str,
    scale: int,
    noise: str | None,
    bits: int,
    dual_pixel: bool,
    defocus_maps: bool,
    contact_sheets: bool,
    layout: str,
    shard_scenes: int,
    interpolation: str,
    seed: int,
    workers: int,
    ray: bool,
    spread: float,
    read_options: ReadOptions,
    dry_run: bool,
) -> None:
    """Do what ``commands/generate.py`` declares."""
    with bad_option():
        shapes = tuple(map(parse_aperture, aperture)) if aperture else DEFAULT_APERTURES
        focus = None if disparity is None else tuple(parse_disparities(disparity))
        sensor = None if noise is None else parse_noise(noise)
    if bits not in (8, 16):
        raise CommandError(f"--bits: got {bits}, want 8 or 16")
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
    if dry_run:
        focused = "the planes told" if focus is not None else f"{planes} planes each"
        would_write(sources, reading, out, f"in the layout {layout}: {len(shapes)} apertures, {focused}")
        return
    keep_freed_memory()
    with progress_bar() as progress:
        task = progress.add_task("generate", total=None)

        def show(told: Progress) -> None:
            progress.update(task, completed=told.done, total=told.total)
            note(f"{told.done} of {told.total} {told.unit}")

        executor = OnRay(workers) if ray else Processes(workers)
        made = generate_pairs(sources, out, recipe, reading=reading, executor=executor, report=show)
    say(f"{made.pairs} pairs of {made.scenes} scene{'s' * (made.scenes != 1)} in {out} ({made.files} files)")
    if made.stages.seconds:
        say(f"work: {made.stages.shares()}")
    for failure in made.failures:
        failed(f"broken: {failure['scene']}: {failure['error']}")
    if made.failures:
        raise typer.Exit(BROKEN)
