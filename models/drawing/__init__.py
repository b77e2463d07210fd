"""Sheets of pictures and animations."""

from ..io.errors import OutputError

__all__ = ["OutputError"]
