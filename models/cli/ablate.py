"""``lfdeblur ablate``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from .train import check_packages


def ablate(
    config: Annotated[str, typer.Option(help="Recipe: a TOML file, or the name of the one that ships: ablate.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs and the table; what is finished there is kept.")] = Path(
        "ablation"
    ),
    seeds: Annotated[int | None, typer.Option(min=1, help="Runs of each row. Default: the recipe's.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: light_field.0.root=/data/LFDOF."),
    ] = None,
) -> None:
    """Train and score small variants in one table: parts of the network, kinds of pairs, the second stage's loss.

    Each number is a mean over seeds with its spread: table.md, table.csv and table.json in the folder. A run that was
    stopped goes on where it was when the command is given again.
    """
    check_packages()
    from ..ablation.config import AblationConfig
    from ..ablation.runs import ablate as run_ablation
    from ..ablation.runs import total_steps
    from ..training.recipe_files import read_recipe

    changes = [*(set_ or ()), *([] if seeds is None else [f"seeds={seeds}"])]
    recipe = read_recipe(AblationConfig, config, changes)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("ablate", total=total_steps(recipe))
        table = run_ablation(
            recipe, out, progress=lambda label, steps: bar.update(task, description=label, completed=steps)
        )
    table.write(out)
    typer.echo(table.text())
    typer.echo(f"\n{out / 'table.md'}")
