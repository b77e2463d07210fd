"""``lfdeblur convert``."""

from typing import Annotated

import typer

from ..data import LAYOUTS, Converted, ReadOptions
from ..data import convert as convert_light_fields
from ..data.light_field import TRANSFERS
from ..data.sources.find import Reading
from ..system.interrupts import terminable
from ..system.memory import keep_freed_memory
from .options import CommandError, takes_reading_options
from .progress import progress_bar

BROKEN = 1  # exit code: some were not converted
_NAMED = 3  # scenes that are named where many lose the same


@takes_reading_options
def convert(
    sources: Annotated[
        list[str], typer.Argument(metavar="LF...", help="Light fields, and folders of them; whatever generate takes.")
    ],
    to: Annotated[str, typer.Option(help=f"Layout: {', '.join(LAYOUTS)}.")],
    out: Annotated[str, typer.Option(help="Folder; made if missing. Each light field is called as its scene.")],
    bits: Annotated[
        int | None, typer.Option(help="Round the views to 8 or 16 bits, for layouts that hold no floating point.")
    ] = None,
    encode: Annotated[
        str | None, typer.Option(help="Give the values this transfer function: srgb, linear. Default: as they are.")
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace what is there, whoever wrote it; else only what convert did."),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    *,
    read_options: ReadOptions,
) -> None:
    """Write light fields in another layout, so that the same views are read from it, bit for bit.

    What the layout cannot hold is said. The same command goes on where a stopped one was; the exit code is 1 where some
    could not be converted.
    """
    if to not in LAYOUTS:
        raise CommandError(f"--to: got {to!r}, want one of {', '.join(LAYOUTS)}")
    if bits not in (None, 8, 16):
        raise CommandError(f"--bits: got {bits}, want 8 or 16")
    if encode not in (None, *TRANSFERS):
        raise CommandError(f"--encode: got {encode!r}, want {' or '.join(TRANSFERS)}")
    keep_freed_memory()
    with terminable(), progress_bar() as progress:
        task = progress.add_task("convert", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        made = convert_light_fields(
            sources,
            out,
            to,
            reading=Reading(read_options),
            bits=bits,
            encode=encode,
            overwrite=overwrite,
            workers=workers,
            progress=show,
        )
    _tell(made, to, out)
    if made.failures:
        raise typer.Exit(BROKEN)


def _tell(made: Converted, layout: str, out: str) -> None:
    count = len(made.written)
    if count == 1:
        (written,) = made.written.values()
        typer.echo(f"{written.path}{' (was there already)' if made.again else ''}")
    else:
        again = f", of which {len(made.again)} were there already" if made.again else ""
        typer.echo(f"{count} light fields as {layout} in {out}{again}")
    lost: dict[str, list[str]] = {}
    for scene, written in made.written.items():
        hint = f"to read it: {written.hint}" if written.hint else ""
        for line in (*written.lost, *filter(None, [hint])):
            lost.setdefault(line, []).append(scene)
    for line, scenes in lost.items():
        typer.echo(line if len(scenes) == count else f"{line} ({_named(scenes)})")
    for failure in made.failures:
        typer.echo(f"lfdeblur: not converted: {failure['scene']}: {failure['error']}", err=True)


def _named(scenes: list[str]) -> str:
    return ", ".join(scenes[:_NAMED]) + (f" and {len(scenes) - _NAMED} more" if len(scenes) > _NAMED else "")
