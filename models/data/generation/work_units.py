"""A unit of work: the scenes of one folder or shard, rendered, written and remembered."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...io.errors import OutputError
from ..light_field import LightField
from ..sources.find import Reading, Source, open_source
from .layouts import Layout, open_layout
from .manifest import PairRow
from .recipe import Recipe
from .scene_renderer import SceneRenderer, Stages
from .storage import STATE, Storage, read_record

RECORDS = f"{STATE}/done"


@dataclass(frozen=True)
class WorkUnit:
    """Scenes that are written and remembered together.

    Attributes:
        name: of its record: the scene's for the layout ``lfdof``, else the shard's.
        scenes: by name: where each comes from, or a light field in memory.
    """

    name: str
    scenes: tuple[tuple[str, Source | LightField], ...]


@dataclass
class Outcome:
    """What came of a unit: rows of the manifest, files with their sizes, and what failed."""

    unit: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    again: bool = False  # found done


def make_units(scenes: Sequence[tuple[str, Source | LightField]], recipe: Recipe) -> Iterator[WorkUnit]:
    """One scene a unit for ``lfdof``; ``shard_scenes`` of them for ``webdataset``."""
    if recipe.layout == "lfdof":
        for name, source in scenes:
            yield WorkUnit(name, ((name, source),))
        return
    for number, start in enumerate(range(0, len(scenes), recipe.shard_scenes)):
        yield WorkUnit(f"pairs-{number:06d}", tuple(scenes[start : start + recipe.shard_scenes]))


def make_room(units: Sequence[WorkUnit], storage: Storage) -> None:
    """Remove what earlier runs made of the scenes of these units in other units: shards of another size or order.

    Raises:
        OutputError: a shard that would be replaced also holds scenes that are not among those of ``units``.
    """
    wanted = {unit.name: {name for name, _ in unit.scenes} for unit in units}
    asked = {name for scenes in wanted.values() for name in scenes}
    for path in storage.names(RECORDS):
        name = path.removeprefix(f"{RECORDS}/").removesuffix(".json")
        if wanted.get(name) == {name}:
            continue  # a scene's own, which is looked at when its turn comes
        record = read_record(storage, path) or {"rows": [], "files": {}}
        held = {row["scene"] for row in record["rows"]}
        if name not in wanted and held.isdisjoint(asked):
            continue
        if others := sorted(held - asked):
            raise OutputError(
                f"cannot write to {storage}: {name}.tar holds pairs of {', '.join(map(repr, others[:3]))} from another "
                "run, which would be lost: name all scenes in one run, or another folder"
            )
        if not held <= wanted.get(name, set()):
            for file in (path, *record["files"]):
                storage.remove(file)


def run_unit(unit: WorkUnit, recipe: Recipe, reading: Reading, storage: Storage) -> Outcome:
    """Render and write what is not done yet; the record is written last.

    Scenes that cannot be read or rendered are listed in the outcome and leave no files.

    Raises:
        OutputError: something cannot be written.
    """
    mark = _mark(unit, recipe, reading)
    record = f"{RECORDS}/{unit.name}.json"
    before = read_record(storage, record)
    if before is not None and mark is not None and before["mark"] == mark and _all_there(before, storage):
        return Outcome(unit.name, before["rows"], before["files"], again=True)
    storage.remove(record)
    outcome, stages = Outcome(unit.name), Stages()
    layout: Layout | None = None
    try:
        with open_layout(recipe.layout, storage, unit.name) as layout:
            for name, source in unit.scenes:
                written = set(layout.files)
                try:
                    rows = _run_scene(name, source, recipe, reading, layout, stages)
                except OutputError:
                    raise
                except Exception as error:  # whatever a damaged file brings about: it must not stop the other scenes
                    for file in set(layout.files) - written:
                        storage.remove(file)
                        del layout.files[file]
                    outcome.failures.append({"scene": name, "source": _told(source), "error": _said(error)})
                else:
                    outcome.rows += [row.to_json() for row in rows]
    except OutputError:  # a full disk: pictures without their truth are of no use, and room for others
        _remove(() if layout is None else layout.files, storage)
        raise
    assert layout is not None
    outcome.files, outcome.seconds = layout.files, stages.seconds
    if not outcome.rows:
        _remove(outcome.files, storage)
        outcome.files = {}
    _remove(set(before["files"] if before else ()) - set(outcome.files), storage)
    if outcome.rows:
        # A shard that lacks a broken scene is in the manifest, and made anew by the next run.
        mark = None if outcome.failures else mark
        done = {"mark": mark, "recipe": recipe.told(), "rows": outcome.rows, "files": outcome.files}
        storage.put(record, json.dumps(done, sort_keys=True).encode())
    return outcome


def _remove(files: Iterable[str], storage: Storage) -> None:
    for file in files:
        storage.remove(file)


def _said(error: Exception) -> str:
    """An error in one line; its kind, where it was not made to be read."""
    said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())


def records(storage: Storage) -> Iterator[dict[str, Any]]:
    """What is remembered of all units that are done, one at a time, in the order of their names."""
    for name in storage.names(RECORDS):
        if (record := read_record(storage, name)) is not None:
            yield record


def _run_scene(
    name: str, source: Source | LightField, recipe: Recipe, reading: Reading, layout: Layout, stages: Stages
) -> list[PairRow]:
    with stages.time("read"):
        light_field = source if isinstance(source, LightField) else open_source(source, reading)
        light_field = replace(light_field.with_center(), scene=name)  # and reads the views
    renderer = SceneRenderer(light_field, recipe, source=_told(source), stages=stages)
    pictures = []
    for picture in renderer.pictures():
        with stages.time("write"):
            pictures.append(layout.put(name, picture))
    with stages.time("write"):
        return layout.add(name, pictures, renderer.rows)


def _told(source: Source | LightField) -> str:
    return str(source) if isinstance(source, Source) else "in memory"


def _mark(unit: WorkUnit, recipe: Recipe, reading: Reading) -> str | None:
    """Tells whether a record is of this work; None for light fields in memory, which have no name to know them by."""
    sources = [source for _, source in unit.scenes]
    if not all(isinstance(source, Source) for source in sources):
        return None
    return recipe.fingerprint([str(source) for source in sources], repr(reading))


def _all_there(record: dict[str, Any], storage: Storage) -> bool:
    return all(storage.size(file) == size for file, size in record["files"].items())
