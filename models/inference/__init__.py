"""Networks on pictures of any size: tiles, memory, files in and out, faster engines."""

from ..io.errors import ImageError
from .tiled_network import BudgetError

__all__ = ["BudgetError", "ImageError"]
