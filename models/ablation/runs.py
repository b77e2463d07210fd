"""``ablate``: every run of the plan trained and scored; what is finished is kept."""

import gc
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..data.errors import DataError
from ..evaluation.evaluate import evaluate, restorer
from ..evaluation.picture_sets import PictureSet
from ..evaluation.report import write_text
from ..evaluation.scores import PUBLISHED, Metric, choose_metrics, least_side
from ..features import FeatureWeightsError
from ..io.atomic import check_output_folder, make_output_folder
from ..networks import DRBNet
from ..training.errors import ConfigError
from ..training.first_weights import checkpoint_weights, start_network
from ..training.loss import RestorationLoss
from ..training.sampling import open_pairs
from ..training.train import CHECKPOINT
from ..training.train import train as run_training
from .config import AblationConfig, EvaluationConfig
from .plan import ROWS, Row, Run, recipe
from .table import Scores, Table, from_json, to_json

RECIPE, FINISHED, SCORES = "recipe.json", "finished", "scores.json"
Progress = Callable[[str, int], None]


def ablate(config: AblationConfig, out: str | Path, *, progress: Progress = lambda label, steps: None) -> Table:
    """Train and score all rows for all seeds; everything is checked before the first step.

    Below ``out``: ``runs/seedN/RUN/`` (as ``lfdeblur train`` leaves them), and ``recipe.json``. Runs that are finished
    are not repeated, one that was stopped goes on; more seeds may be asked for later.

    Args:
        config: the recipe.
        out: a folder, made if missing.
        progress: is told which run is at work, and the steps of training done in all.

    Returns: the table.

    Raises:
        ConfigError: ``out`` holds the runs of another recipe.
        DataError, LightFieldError: missing, misshaped or unreadable data; the first is named.
        FeatureWeightsError: weights of a feature network are missing or do not fit.
        OutputError: ``out`` cannot be written.
    """
    out = Path(out)
    check_output_folder(out)
    wanted = json.loads(json.dumps(config.model_dump(exclude={"seeds"})))
    _check_recipe(out / RECIPE, wanted)
    metrics = choose_metrics(torch.device("cpu"))
    sets = {
        part.name: _open(part, config.network.views, least_side(metrics, [PUBLISHED])) for part in config.evaluation
    }
    for part in (*config.light_field, *config.real):
        open_pairs(part, config.network.views, config.augment.crop)
    try:
        RestorationLoss(config.feature).check_side(config.augment.crop)
    except FeatureWeightsError:
        raise
    except ValueError as error:
        raise ConfigError(f"recipe: {error}") from error
    make_output_folder(out)
    write_text(out / RECIPE, json.dumps(wanted, indent=2) + "\n")

    done = 0
    scores: dict[str, list[Scores]] = {row.name: [] for row in ROWS}
    seen: set[tuple[str, int]] = set()
    for seed in range(config.seeds):
        for row in ROWS:
            for run in _chain(row.run):
                if (run.name, seed) not in seen:
                    seen.add((run.name, seed))
                    told = partial(_tell, progress, f"seed {seed}, {run.name.rpartition('--')[2]}", done)
                    done += _train(config, run, seed, out, told)
            scores[row.name].append(_scores(config, row, _folder(out, row.run, seed), sets, metrics))
    return Table(metrics, scores)


def _tell(progress: Progress, label: str, before: int, steps: int) -> None:
    progress(label, before + steps)


def total_steps(config: AblationConfig) -> int:
    """Steps of training of the whole table."""
    runs = {run for row in ROWS for run in _chain(row.run)}
    return config.seeds * sum(recipe(config, run, 0, None).run.steps for run in runs)


def _chain(run: Run) -> Iterator[Run]:
    """The runs that lead to one, itself last."""
    if isinstance(run.start, Run):
        yield from _chain(run.start)
    yield run


def _folder(out: Path, run: Run, seed: int) -> Path:
    return out / "runs" / f"seed{seed}" / run.name


def _check_recipe(file: Path, wanted: Any) -> None:
    if not file.exists():
        return
    try:
        before = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: not readable ({error})") from error
    if before != wanted:
        raise ConfigError(f"{file.parent}: holds runs of another recipe; choose another folder")


def _open(part: EvaluationConfig, views: int, least: int) -> PictureSet:
    scenes = PictureSet(dual=views == 2, **part.model_dump(exclude={"name"}))
    for item, size in zip(scenes.items, scenes.sizes, strict=True):
        if min(size) < least:
            raise DataError(f"{item.defocused}: {size[1]}x{size[0]} pixels, want at least {least} along each side")
    return scenes


def _train(config: AblationConfig, run: Run, seed: int, out: Path, progress: Callable[[int], None]) -> int:
    """The steps of a run, done now or before."""
    folder = _folder(out, run, seed)
    start = _folder(out, run.start, seed) / CHECKPOINT if isinstance(run.start, Run) else None
    wanted = recipe(config, run, seed, start)
    if not (folder / FINISHED).exists():
        resume = (folder / CHECKPOINT).exists()
        run_training(wanted, folder, resume=resume, progress=lambda steps, loss, speed: progress(steps))
        write_text(folder / FINISHED, "")
        gc.collect()  # trainers refer to themselves, and hold the decoded pictures of their data
    return wanted.run.steps


def _network(config: AblationConfig, row: Row, folder: Path) -> DRBNet:
    network = start_network(config.network.model_copy(update={"variant": row.run.variant, "start": "random"}), 0)
    network.load_state_dict(checkpoint_weights(folder / CHECKPOINT))
    return network.eval()


def _scores(
    config: AblationConfig, row: Row, folder: Path, sets: dict[str, PictureSet], metrics: tuple[Metric, ...]
) -> Scores:
    """By set: the means of the input's and the output's scores; from the run's folder where they are known."""
    file = folder / SCORES
    if file.exists():
        known: Scores = from_json(json.loads(file.read_text()))
        return known
    restore = restorer(_network(config, row, folder))
    scores: Scores = {}
    for name, scenes in sets.items():
        found = evaluate(scenes, restore, metrics, protocols=[PUBLISHED])
        if found.failed:
            raise DataError(found.failed[0])
        scores[name] = {which: found.mean(PUBLISHED.name, which) for which in ("input", "output")}
    write_text(file, json.dumps(to_json(scores), indent=2, allow_nan=False) + "\n")
    return scores
