"""Light fields from any layout to another: many, in several processes; runs go on where a killed one stopped."""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ..io.atomic import check_replaceable
from ..io.errors import OutputError
from ..io.urls import local_path
from ..system.progress import Progress, Report, tell
from .generation.executors import Processes
from .generation.generate import named_scenes
from .generation.storage import STATE, LocalFolder, read_record
from .light_field import LightField
from .sources.find import Reading, Source, open_source
from .writers._layout import Layout, check_wanted
from .writers.registry import LAYOUTS, Written, check_layout, named_as, write_light_field

RECORDS, SCRATCH = f"{STATE}/converted", f"{STATE}/unfinished"


@dataclass
class Converted:
    """What a run of ``convert`` made.

    Attributes:
        written: of each light field that is there now, by its scene.
        again: scenes that were there already, as this call writes them.
        failures: for each broken one its ``scene``, ``source`` and ``error``.
    """

    written: dict[str, Written] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Outcome:
    scene: str
    written: Written | None = None
    again: bool = False
    source: str = ""
    error: str = ""


@dataclass(frozen=True)
class _Work:
    """How one scene is converted."""

    folder: Path
    layout: str
    bits: int | None
    encode: str | None
    overwrite: bool
    reading: Reading

    def mark(self, source: Source | LightField) -> str | None:
        """Tells whether a record is of this work; None for a light field in memory, which has no name to know it by."""
        return (
            None
            if isinstance(source, LightField)
            else repr((str(source), self.layout, self.bits, self.encode, self.reading))
        )


def convert(
    sources: Iterable[LightField | Source | str | Path],
    out: str | Path,
    layout: str,
    *,
    reading: Reading | None = None,
    bits: int | None = None,
    encode: str | None = None,
    overwrite: bool = False,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    report: Report | None = None,
) -> Converted:
    """Write light fields in another layout, each below ``out`` under its scene's name.

    Each is whole or not there at all. ``.lfdeblur/`` below ``out`` remembers what is done: the same call goes on where
    a killed one stopped. What an earlier call wrote is replaced where this one asks for something else; any other file
    is left alone, and named as a failure.

    Args:
        sources: whatever ``find_sources`` takes, or light fields in memory; their ``scene`` names differ.
        out: a folder, made if missing.
        layout: one of ``LAYOUTS``.
        reading: how sources are read.
        bits, encode: as of ``write_light_field``.
        overwrite: replace whatever has the same name, and write again what is there.
        workers: processes.
        progress: called with the light fields done and their number.
        report: called with a ``Progress`` after each light field; where it returns False the call ends
            with ``Cancelled``: what is done stays, and the same call goes on there.

    Raises:
        LightFieldError: no such layout, source, ``bits`` or ``encode``, or two scenes of one name. Broken light fields
            do not raise.
        OutputError: ``out`` cannot be written, or a worker process was killed.
        ValueError: bad ``workers``.
    """
    check_layout(layout)
    check_wanted(bits, encode)
    folder = local_path(out)
    if folder is None:
        raise OutputError(f"cannot write to {out}: want a folder on this machine")
    executor, storage = Processes(workers), LocalFolder(folder)
    storage.check()
    reading = reading or Reading()
    scenes = named_scenes(sources, reading)
    made = Converted()
    with storage.alone():
        work = partial(_convert_one, _Work(folder, layout, bits, encode, overwrite, reading))
        try:
            for done, outcome in enumerate(executor.outcomes(work, scenes), 1):
                _add(made, outcome)
                progress(done, len(scenes))
                tell(report, Progress("convert", done, len(scenes), "scenes"))
        except BrokenExecutor as error:
            raise OutputError(
                f"cannot write to {folder}: a worker process was killed, perhaps for want of memory; "
                "the same call goes on where this one stopped"
            ) from error
    made.written = {scene: made.written[scene] for scene, _ in scenes if scene in made.written}
    made.failures.sort(key=lambda failure: failure["scene"])
    return made


def _add(made: Converted, outcome: _Outcome) -> None:
    if outcome.written is None:
        made.failures.append({"scene": outcome.scene, "source": outcome.source, "error": outcome.error})
        return
    made.written[outcome.scene] = outcome.written
    if outcome.again:
        made.again.append(outcome.scene)


def _convert_one(work: _Work, unit: tuple[str, Source | LightField]) -> _Outcome:
    """What cannot be read or written so is told in the outcome. Raises OutputError: a full disk, no permission."""
    scene, source = unit
    storage = LocalFolder(work.folder)
    record = f"{RECORDS}/{scene}.json"
    before = read_record(storage, record)
    if before is not None and not work.overwrite and before["mark"] is not None and before["mark"] == work.mark(source):
        written = Written(Path(work.folder, before["name"]), work.layout, tuple(before["lost"]), before["hint"])
        if before["sizes"] and before["sizes"] == _sizes(written.path):
            return _Outcome(scene, written, again=True)
    told = "in memory" if isinstance(source, LightField) else str(source)
    try:
        light_field = source if isinstance(source, LightField) else open_source(source, work.reading)
        known = check_layout(work.layout)
        name = known.name_of(known, scene, light_field)
        own = before is not None and before["name"] == name
        if (refused := _refused(known, work.folder / name, own, work.overwrite)) is not None:
            return _Outcome(scene, source=told, error=refused)
        return _Outcome(scene, _write(work, storage, light_field.copy(scene=scene), name, work.mark(source)))
    except OutputError:
        raise
    except Exception as error:  # whatever a damaged file brings about: it must not stop the others
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return _Outcome(scene, source=told, error=" ".join(said.split()))


def _refused(known: Layout, path: Path, own: bool, overwrite: bool) -> str | None:
    """Why nothing may be written there; None: it may. Our own folder may be of another layout."""
    if not os.path.lexists(path):
        return None
    if not own and not overwrite:
        return f"{path}: is there already, and not from this command; --overwrite replaces it"
    possible = LAYOUTS.values() if own else (known,)
    held = [name for layout in possible for name in layout.held_by(path)] if path.is_dir() else []
    try:
        if path.is_dir() or known.is_folder:
            check_replaceable(path, held, held)
    except OutputError as error:
        return str(error)
    return None


def _write(work: _Work, storage: LocalFolder, light_field: LightField, name: str, mark: str | None) -> Written:
    """Write aside, remember that the place is ours, move there, remember that it is whole."""
    path, record_name = work.folder / name, f"{RECORDS}/{light_field.scene}.json"
    scratch = work.folder / SCRATCH / str(os.getpid())
    aside = scratch / name
    with named_as(path, aside):
        done = replace(
            write_light_field(light_field, aside, work.layout, bits=work.bits, encode=work.encode), path=path
        )
    record = {"mark": mark, "name": name, "lost": done.lost, "hint": done.hint, "sizes": _sizes(aside)}
    storage.put(record_name, json.dumps(record | {"sizes": {}}).encode())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            path.replace(scratch / "old")
        aside.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    storage.put(record_name, json.dumps(record).encode())
    shutil.rmtree(scratch, ignore_errors=True)
    return done


def _sizes(path: Path) -> dict[str, int]:
    """Bytes of each file of a light field, by its place in it; empty where there is none."""
    if path.is_dir():
        return {str(file.relative_to(path)): file.stat().st_size for file in sorted(path.rglob("*")) if file.is_file()}
    return {"": path.stat().st_size} if path.is_file() else {}
