"""The progress bar."""

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .output import is_quiet


def progress_bar() -> Progress:
    """A progress bar on stderr, shown on terminals only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not shows_bars())


def shows_bars() -> bool:
    """Whether stderr is a terminal that can move its cursor, and ``--quiet`` is not given.

    rich asks FORCE_COLOR too, with which a log or a notebook would get each state of the bar.
    """
    return sys.stderr.isatty() and not Console(stderr=True).is_dumb_terminal and not is_quiet()
