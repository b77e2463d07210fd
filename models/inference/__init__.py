"""Networks on pictures of any size: tiles, memory, files in and out, faster engines."""

from ..io.errors import ImageError
from .exported import ExportedFileError
from .tiled_network import BudgetError

__all__ = ["BudgetError", "ExportedFileError", "ImageError"]
