"""The command ``lfdeblur``, one file per subcommand."""

from .main import app, main

__all__ = ["app", "main"]
