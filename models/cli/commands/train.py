"""What ``lfdeblur train`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand
from ..options import recipe_names


@subcommand()
def train(
    config: Annotated[
        str,
        typer.Option(
            autocompletion=recipe_names, help="Recipe: a TOML file, or the name of one that ships: stage1, stage2, ..."
        ),
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
