"""``generate`` as a Ray Data pipeline: the same recipe and the same bytes, on as many machines as the cluster has."""

import logging
import os
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ...io.errors import OutputError
from ..light_field import LightField
from ..sources.find import Reading, Source
from .generate import Generated, collect, finish, named_scenes
from .recipe import Recipe
from .storage import open_storage
from .work_units import make_room, make_units, run_unit


def generate_with_ray(
    sources: Iterable[LightField | Source | str | Path],
    out: str | Path,
    recipe: Recipe | None = None,
    *,
    reading: Reading | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Generated:
    """As ``generate``, but units of work are rows of a Ray data set that is mapped over the cluster.

    Connects to the cluster that ``RAY_ADDRESS`` names, else starts one on this machine. Every machine must see the
    sources and ``out``: a shared folder, or URLs of a storage that fsspec knows.

    Args:
        workers: tasks at a time, one core each.

    Raises:
        OutputError: Ray is not installed, or ``out`` cannot be written. The rest as ``generate``.
    """
    try:
        import ray
    except ImportError as error:
        raise OutputError("ray is not installed: pip install 'lfdeblur-ops[ray]'") from error
    recipe, reading = recipe or Recipe(), reading or Reading()
    storage = open_storage(out)
    storage.check()
    scenes = named_scenes(sources, reading)
    units = list(make_units(scenes, recipe))
    rows = [{"unit": pickle.dumps(unit)} for unit in units]
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster of our own tells nobody about itself
        ray.init(log_to_driver=False, logging_level=logging.WARNING)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False

    def work(row: dict[str, Any]) -> dict[str, Any]:
        unit = pickle.loads(row["unit"])
        try:
            return {"outcome": pickle.dumps((run_unit(unit, recipe, reading, storage), len(unit.scenes)))}
        except OutputError as error:  # Ray would wrap it in a trace of its own
            return {"outcome": pickle.dumps((error, 0))}

    made, done = Generated(), 0
    with storage.alone():
        make_room(units, storage)
        if rows:
            # A block a unit: they differ in size, and a task that dies is run again.
            tasks = ray.data.TaskPoolStrategy(size=workers)
            mapped = ray.data.from_items(rows, override_num_blocks=len(rows)).map(work, num_cpus=1, compute=tasks)
            logging.getLogger("ray.data").setLevel(logging.WARNING)  # its plans are nothing that a user asked for
            for row in mapped.iter_rows():
                outcome, count = pickle.loads(row["outcome"])
                if isinstance(outcome, OutputError):
                    raise outcome
                collect(made, outcome)
                done += count
                progress(done, len(scenes))
        finish(storage, made)
    return made
