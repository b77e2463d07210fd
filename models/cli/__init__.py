"""The command ``lfdeblur``, one file per subcommand."""

from ..io.errors import OutputError
from .main import app, main
from .options import CommandError

__all__ = ["CommandError", "OutputError", "app", "main"]
