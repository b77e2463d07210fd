"""``lfdeblur convert``."""

import typer

from ..data import Converted, ReadOptions
from ..data import convert as convert_light_fields
from ..data.sources.find import Reading
from ..system.interrupts import terminable
from ..system.memory import keep_freed_memory
from ..system.progress import Progress
from .options import CommandError
from .output import failed, note, say
from .progress import progress_bar
from .scenes import would_write

BROKEN = 1  # exit code: some were not converted
_NAMED = 3  # scenes that are named where many lose the same


def convert(
    *,
    sources: list[str],
    to: str,
    out: str,
    bits: int | None,
    encode: str | None,
    overwrite: bool,
    workers: int,
    read_options: ReadOptions,
    dry_run: bool,
) -> None:
    """Do what ``commands/convert.py`` declares."""
    if bits not in (None, 8, 16):
        raise CommandError(f"--bits: got {bits}, want 8 or 16")
    reading = Reading(read_options)
    if dry_run:
        would_write(sources, reading, out, f"as {to}")
        return
    keep_freed_memory()
    with terminable(), progress_bar() as progress:
        task = progress.add_task("convert", total=None)

        def show(told: Progress) -> None:
            progress.update(task, completed=told.done, total=told.total)
            note(f"{told.done} of {told.total} {told.unit}")

        made = convert_light_fields(
            sources,
            out,
            to,
            reading=reading,
            bits=bits,
            encode=encode,
            overwrite=overwrite,
            workers=workers,
            report=show,
        )
    _tell(made, to, out)
    if made.failures:
        raise typer.Exit(BROKEN)


def _tell(made: Converted, layout: str, out: str) -> None:
    count = len(made.written)
    if count == 1:
        (written,) = made.written.values()
        say(f"{written.path}{' (was there already)' if made.again else ''}")
    else:
        again = f", of which {len(made.again)} were there already" if made.again else ""
        say(f"{count} light fields as {layout} in {out}{again}")
    lost: dict[str, list[str]] = {}
    for scene, written in made.written.items():
        hint = f"to read it: {written.hint}" if written.hint else ""
        for line in (*written.lost, *filter(None, [hint])):
            lost.setdefault(line, []).append(scene)
    for line, scenes in lost.items():
        say(line if len(scenes) == count else f"{line} ({_named(scenes)})")
    for failure in made.failures:
        failed(f"not converted: {failure['scene']}: {failure['error']}")


def _named(scenes: list[str]) -> str:
    return ", ".join(scenes[:_NAMED]) + (f" and {len(scenes) - _NAMED} more" if len(scenes) > _NAMED else "")
