"""``lfdeblur train``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from .options import CommandError

PACKAGES = ("lightning", "pydantic", "tensorboard")


def check_packages() -> None:
    """Refuse to go on without the packages of the extra ``train``."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise CommandError(f"training needs the extra 'train'; missing: {', '.join(missing)}")


def train(
    config: Annotated[
        str, typer.Option(help="Recipe: a TOML file, or the name of one that ships: stage1, stage2, ...")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; made if missing. Default: runs/, the recipe's name.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: data.0.root=/data/LFDOF, run.steps=1000."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in the folder stopped.")] = False,
) -> None:
    """Train DRBNet by a recipe: weights.safetensors, last.ckpt, CSV and TensorBoard logs in the folder."""
    check_packages()
    from lightning.pytorch.utilities import rank_zero_only

    from ..training.config import read_config
    from ..training.train import train as run_training

    recipe = read_config(config, set_ or ())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
        TextColumn("loss {task.fields[loss]:.4f}, {task.fields[speed]:.1f} pairs/s"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    out = out or Path("runs") / Path(config).stem
    console = Console(stderr=True)
    bar = Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal, speed_estimate_period=600
    )
    task = bar.add_task("train", total=recipe.run.steps, loss=float("nan"), speed=0.0)

    def show(steps: int, loss: float, speed: float) -> None:
        bar.update(task, completed=steps, loss=loss, speed=speed)
        bar.start()  # not before: of several processes on one terminal, only the first is told

    try:
        weights = run_training(recipe, out, resume=resume, progress=show)
    finally:
        if console.is_terminal:
            bar.stop()
    if getattr(rank_zero_only, "rank", 0) == 0:
        typer.echo(str(weights))
