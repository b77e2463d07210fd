"""The page in the browser, and the server behind it: ``lfdeblur view``."""

from ..data.errors import LightFieldError
from ..io.errors import ImageError, LfdeblurError, OutputError
from .errors import RunError, ViewError

__all__ = ["ImageError", "LfdeblurError", "LightFieldError", "OutputError", "RunError", "ViewError"]
