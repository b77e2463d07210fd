"""Training pairs on disk: many scenes, many processes, and runs that go on where a killed one stopped."""

import json
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ...io.errors import OutputError
from ...system.progress import Progress, Report, tell
from ..light_field import LightField, LightFieldError
from ..sources.find import Reading, Source, find_as_told
from .executors import Executor, Processes
from .manifest import write_manifest
from .recipe import Recipe
from .scene_renderer import Stages
from .storage import open_storage
from .work_units import Outcome, make_room, make_units, records, run_unit

_LOG = logging.getLogger("lfdeblur.generate")
MANIFEST, REPORT = "manifest.parquet", "report.json"


@dataclass
class Generated:
    """What a run made.

    Attributes:
        scenes, pairs, files: how many there are now of those asked for.
        failures: for each broken scene its ``scene``, ``source`` and ``error``; also in ``report.json``.
        stages: seconds by stage, summed over processes, of what this run had to do.
    """

    scenes: int = 0
    pairs: int = 0
    files: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)
    stages: Stages = field(default_factory=Stages)

    def add(self, outcome: Outcome) -> None:
        """What came of a unit of work."""
        self.scenes += len({row["scene"] for row in outcome.rows})
        self.pairs += len(outcome.rows)
        self.files += len(outcome.files)
        self.failures += outcome.failures
        self.stages.add(outcome.seconds)


def generate(
    sources: Iterable[LightField | Source | str | Path],
    out: str | Path,
    recipe: Recipe | None = None,
    *,
    reading: Reading | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    report: Report | None = None,
) -> Generated:
    """Render every scene by a recipe and write it, with a manifest of every choice.

    Files below ``out``, each whole or not there at all: pairs in the recipe's layout, ``manifest.parquet`` (a row per
    pair of all runs into this folder), ``report.json`` (broken scenes of this run) and ``.lfdeblur/`` (what is done:
    the same call goes on where a killed one stopped, and does nothing twice). Older files of the same names, and of the
    same scenes in other shards, are replaced; other files are left alone. The bytes depend on the recipe, the sources
    and the scenes' names alone.

    Args:
        sources: whatever ``find_sources`` takes, or light fields in memory; their ``scene`` names differ.
        out: a folder, made if missing, or a URL of a storage that fsspec writes to.
        recipe: every choice; None: the default one.
        reading: how sources are read.
        workers: processes. One is fastest for a single scene: it uses all cores.
        executor: who does the work instead: ``Processes(n)``, what ``workers=n`` stands for, or ``OnRay(n)``, n tasks
            at a time on a Ray cluster. The bytes are the same.
        progress: called with the scenes done and their number.
        report: called with a ``Progress`` after each scene or shard; where it returns False the call ends
            with ``Cancelled``: what is done stays, and the same call goes on there.

    Raises:
        LightFieldError: no such source, or two scenes of one name. Broken scenes do not raise.
        OutputError: ``out`` cannot be written: disk full, no permission, another run, a worker process was killed, or
            a shard would be replaced that holds other scenes as well.
        ValueError: bad ``workers``, ``workers`` beside ``executor``, or an aperture that covers no view.
    """
    recipe, reading = recipe or Recipe(), reading or Reading()
    if executor is not None and workers != 1:
        raise ValueError(f"workers: got {workers} beside an executor, want one of them")
    executor = executor or Processes(workers)
    storage = open_storage(out)
    storage.check()
    scenes = named_scenes(sources, reading)
    made, done = Generated(), 0
    units = list(make_units(scenes, recipe))
    sizes = {unit.name: len(unit.scenes) for unit in units}
    work = partial(run_unit, recipe=recipe, reading=reading, storage=storage)
    with storage.alone():
        make_room(units, storage)
        try:
            for outcome in executor.outcomes(work, units):
                made.add(outcome)
                done += sizes[outcome.unit]
                _LOG.debug("%s: %d pairs, %d files", outcome.unit, len(outcome.rows), len(outcome.files))
                progress(done, len(scenes))
                tell(report, Progress("generate", done, len(scenes), "scenes"))
        except BrokenExecutor as error:
            raise OutputError(
                f"cannot write to {storage}: a worker process was killed, perhaps for want of memory; "
                "the same call goes on where this one stopped"
            ) from error
        made.failures.sort(key=lambda failure: failure["scene"])
        storage.put(REPORT, json.dumps({"failures": made.failures}, indent=2).encode() + b"\n")
        with storage.writing(MANIFEST) as path:
            write_manifest(path, records(storage))
    return made


def named_scenes(
    sources: Iterable[LightField | Source | str | Path], reading: Reading
) -> list[tuple[str, Source | LightField]]:
    """Every scene with its name. Raises LightFieldError where there is no such source, or a name twice."""
    if isinstance(sources, (LightField, Source, str, Path)):
        sources = [sources]
    scenes: dict[str, Source | LightField] = {}
    for given in sources:
        found: list[tuple[str, Source | LightField]]
        if isinstance(given, (LightField, Source)):
            found = [(given.scene, given)]
        else:
            found = [(source.scene, source) for source in find_as_told(given, reading.light_field)]
        for name, source in found:
            if name in scenes:
                where = f"{scenes[name]} and {source}: both are" if isinstance(source, Source) else "two scenes are"
                raise LightFieldError(f"{where} called {name!r}; their files would be mixed: rename one")
            if name in ("", ".", "..") or "/" in name:
                raise LightFieldError(f"{name!r}: a scene needs a name that can be a file's")
            scenes[name] = source
    return list(scenes.items())
