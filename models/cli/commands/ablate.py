"""What ``lfdeblur ablate`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand
from ..options import recipe_names


@subcommand()
def ablate(
    config: Annotated[
        str,
        typer.Option(
            autocompletion=recipe_names, help="Recipe: a TOML file, or the name of the one that ships: ablate."
        ),
    ],
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
