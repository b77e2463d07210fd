"""The command ``lfdeblur``: ``commands/`` has what each subcommand takes, a file of its name here what it does."""

from ..data.errors import LightFieldError
from ..io.errors import OutputError
from .main import app, main
from .options import CommandError

__all__ = ["CommandError", "LightFieldError", "OutputError", "app", "main"]
