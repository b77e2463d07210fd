"""Training pairs on disk: many scenes, many processes, and runs that go on where a killed one stopped."""

import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.connection import wait as wait_for
from pathlib import Path

import torch

from ...io.errors import OutputError
from ...system.memory import keep_freed_memory
from ..light_field import LightField, LightFieldError
from ..sources.find import Reading, Source, find_sources
from .manifest import write_manifest
from .recipe import Recipe
from .scene_renderer import Stages
from .storage import Storage, open_storage
from .work_units import Outcome, Unit, make_room, make_units, records, run_unit

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


def generate(
    sources: Iterable[LightField | Source | str | Path],
    out: str | Path,
    recipe: Recipe | None = None,
    *,
    reading: Reading | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
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
        progress: called with the scenes done and their number.

    Raises:
        LightFieldError: no such source, or two scenes of one name. Broken scenes do not raise.
        OutputError: ``out`` cannot be written: disk full, no permission, another run, a worker process was killed, or
            a shard would be replaced that holds other scenes as well.
        ValueError: bad ``workers``, or an aperture that covers no view.
    """
    recipe, reading = recipe or Recipe(), reading or Reading()
    if workers < 1:
        raise ValueError(f"workers: got {workers}, want at least 1")
    storage = open_storage(out)
    storage.check()
    scenes = named_scenes(sources, reading)
    made, done = Generated(), 0
    units = list(make_units(scenes, recipe))
    with storage.alone():
        make_room(units, storage)
        for outcome, unit in _outcomes(units, recipe, reading, storage, workers):
            collect(made, outcome)
            done += len(unit.scenes)
            progress(done, len(scenes))
        finish(storage, made)
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
            found = [(source.scene, source) for source in find_sources(given, reading.light_field.get("format"))]
        for name, source in found:
            if name in scenes:
                where = f"{scenes[name]} and {source}: both are" if isinstance(source, Source) else "two scenes are"
                raise LightFieldError(f"{where} called {name!r}; their files would be mixed: rename one")
            if name in ("", ".", "..") or "/" in name:
                raise LightFieldError(f"{name!r}: a scene needs a name that can be a file's")
            scenes[name] = source
    return list(scenes.items())


def collect(made: Generated, outcome: Outcome) -> None:
    """Add what came of a unit."""
    made.scenes += len({row["scene"] for row in outcome.rows})
    made.pairs += len(outcome.rows)
    made.files += len(outcome.files)
    made.failures += outcome.failures
    made.stages.add(outcome.seconds)


def finish(storage: Storage, made: Generated) -> None:
    """Write the report and the manifest of all that is remembered."""
    made.failures.sort(key=lambda failure: failure["scene"])
    storage.put(REPORT, json.dumps({"failures": made.failures}, indent=2).encode() + b"\n")
    with storage.writing(MANIFEST) as path:
        write_manifest(path, records(storage))


def _outcomes(
    units: Sequence[Unit], recipe: Recipe, reading: Reading, storage: Storage, workers: int
) -> Iterator[tuple[Outcome, Unit]]:
    """Every unit's outcome as it comes; never more units under way than keep the workers busy."""
    workers = min(workers, len(units))
    if workers <= 1:
        for unit in units:
            yield run_unit(unit, recipe, reading, storage), unit
        return
    threads = max(1, torch.get_num_threads() // workers)
    # Not forked: the children of a process with running threads hang on their locks.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(threads,))
    try:
        waiting = iter(units)
        under_way: dict[Future[Outcome], Unit] = {}
        while True:
            for unit in waiting:
                under_way[pool.submit(run_unit, unit, recipe, reading, storage)] = unit
                if len(under_way) >= workers + 1:
                    break
            if not under_way:
                return
            finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result(), under_way.pop(future)
    except BrokenProcessPool as error:
        raise OutputError(
            f"cannot write to {storage}: a worker process was killed, perhaps for want of memory; "
            "the same call goes on where this one stopped"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(threads: int) -> None:
    """Runs in each worker: its share of the cores; and it ends when its parent is killed."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait_for([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
