"""``lfdeblur ablate``."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ..io.atomic import check_output_folder
from .output import say
from .progress import shows_bars
from .train import check_packages


def ablate(
    *,
    config: str,
    out: Path,
    seeds: int | None,
    set_: list[str] | None,
    dry_run: bool,
) -> None:
    """Do what ``commands/ablate.py`` declares."""
    check_packages()
    from ..ablation.config import AblationConfig
    from ..ablation.runs import ablate as run_ablation
    from ..ablation.runs import total_steps
    from ..training.recipe_files import read_recipe

    changes = [*(set_ or ()), *([] if seeds is None else [f"seeds={seeds}"])]
    recipe = read_recipe(AblationConfig, config, changes)
    if dry_run:
        check_output_folder(out)
        say(f"{config}: {total_steps(recipe)} steps of training for {recipe.seeds} seeds")
        say(f"would write runs/, table.md, table.csv and table.json to {out}")
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shows_bars()) as bar:
        task = bar.add_task("ablate", total=total_steps(recipe))
        table = run_ablation(
            recipe, out, progress=lambda label, steps: bar.update(task, description=label, completed=steps)
        )
    table.write(out)
    say(table.text())
    say(f"\n{out / 'table.md'}")
