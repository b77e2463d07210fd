"""``lfdeblur train``."""

import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ..system.progress import Progress
from .options import CommandError
from .output import is_quiet, say
from .progress import shows_bars

if TYPE_CHECKING:
    from ..training.plan import Plan

PACKAGES = ("lightning", "pydantic", "tensorboard")
_ENOUGH = 3.0  # seconds of steps from which the rest is estimated
_TOLD_AT = (0.0, 0.1, 0.25, 0.5, 0.75)  # shares of the run


def check_packages() -> None:
    """Refuse to go on without the packages of the extra ``train``."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise CommandError(f"training needs the extra 'train'; missing: {', '.join(missing)}")


def train(
    *,
    config: str,
    out: Path | None,
    set_: list[str] | None,
    resume: bool,
    dry_run: bool,
) -> None:
    """Do what ``commands/train.py`` declares."""
    check_packages()
    from lightning.pytorch.utilities import rank_zero_only

    from ..training.config import read_config
    from ..training.train import train as run_training

    recipe = read_config(config, set_ or ())
    out = out or Path("runs") / Path(config).stem
    first = getattr(rank_zero_only, "rank", 0) == 0  # of several processes on one terminal, only this one speaks
    with _Shown(recipe.run.steps) as shown:

        def begin(plan: "Plan") -> bool:
            if first and not is_quiet():
                typer.echo(str(plan), err=True)
            return not dry_run

        weights = run_training(recipe, out, resume=resume, report=shown.report, begin=begin)
    if first:
        say(f"would write {weights}" if dry_run else str(weights))


class _Shown:
    """A bar on terminals; elsewhere the time that is left, in a line now and then."""

    def __init__(self, steps: int) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            TextColumn("loss {task.fields[loss]:.4f}, {task.fields[speed]:.1f} pairs/s"),
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        self._bars = shows_bars()
        console = Console(stderr=True)
        self._bar = Bar(*columns, console=console, transient=True, disable=not self._bars, speed_estimate_period=600)
        self._task = self._bar.add_task("train", total=steps, loss=float("nan"), speed=0.0)
        self._began: tuple[float, int] | None = None
        self._marks = iter((*_TOLD_AT, float("inf")))
        self._next = next(self._marks)

    def __enter__(self) -> "_Shown":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bar.stop()

    def report(self, told: Progress) -> None:
        if self._bars:
            self._bar.update(self._task, completed=told.done, loss=told.loss, speed=told.pairs_per_second)
            self._bar.start()  # not before: of several processes on one terminal, only the first is told
            return
        now = time.monotonic()
        if self._began is None:  # the first step, which also warms up, is not counted
            self._began = now, told.done
            return
        start, before = self._began
        if told.done < told.total and now - start >= _ENOUGH and told.done >= self._next * told.total:
            while told.done >= self._next * told.total:
                self._next = next(self._marks)
            left = (now - start) / (told.done - before) * (told.total - told.done)
            if not is_quiet():
                typer.echo(f"step {told.done} of {told.total}: about {_duration(left)} to go", err=True)


def _duration(seconds: float) -> str:
    """``2 h 5 min``, ``40 s``."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
