"""The command ``lfdeblur``, one file per subcommand."""

from ..data.errors import LightFieldError
from ..io.errors import OutputError
from .main import app, main
from .options import CommandError

__all__ = ["CommandError", "LightFieldError", "OutputError", "app", "main"]
