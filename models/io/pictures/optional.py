"""Libraries of the extra ``pictures``, imported when a file needs them."""

import importlib
from pathlib import Path
from typing import Any

from ..errors import ImageError


def need(library: str, path: Path) -> Any:
    """The imported library. Raises ImageError where it is not installed."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        package = library.replace("_", "-")
        raise ImageError(
            f"{path}: needs {package}: pip install {package}, or install lfdeblur with the extra 'pictures'"
        ) from error
