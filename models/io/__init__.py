"""Picture files in and out, whole or not at all."""

from .errors import ImageError, LfdeblurError, OutputError

__all__ = ["ImageError", "LfdeblurError", "OutputError"]
