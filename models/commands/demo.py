"""``lfdeblur demo``."""

from pathlib import Path

import typer

from ..demo import STEPS, run_demo
from ..output import check_output_folder
from ._shared import Out, progress_bar


def demo(out: Out = Path("demo")) -> None:
    """Refocus a real light field, render a pair, run DRBNet, and draw all of it on one sheet."""
    check_output_folder(out)
    with progress_bar() as progress:
        task = progress.add_task("demo", total=len(STEPS))

        def begin(step: str) -> None:
            progress.update(task, description=step, completed=STEPS.index(step))

        path = run_demo(out, begin)
        progress.update(task, completed=len(STEPS))
    typer.echo(str(path))
