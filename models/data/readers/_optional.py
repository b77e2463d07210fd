"""Libraries of the extra ``formats``, imported when a file needs them."""

import importlib
from pathlib import Path
from typing import Any

from ..errors import LightFieldError


def need(library: str, path: Path, to_be: str = "read") -> Any:
    """The imported library. Raises LightFieldError where it is not installed."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        root = library.split(".")[0]
        raise LightFieldError(
            f"{path}: needs {root} to be {to_be}: pip install {root}, or install lfdeblur with the extra 'formats'"
        ) from error
