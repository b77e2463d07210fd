"""What ``lfdeblur demo`` takes."""

from pathlib import Path

from ..declare import subcommand
from ..options import Out


@subcommand()
def demo(out: Out = Path("demo")) -> None:
    """Refocus a real light field, render a pair, run DRBNet, and draw all of it on one sheet."""
