"""Errors of training."""

from ..io.errors import LfdeblurError


class ConfigError(LfdeblurError, ValueError):
    """A recipe that cannot be used; the message names the key, what it got and what it wants."""


class DivergedError(LfdeblurError, ArithmeticError):
    """A loss or weights that are not finite: nothing after that is worth keeping."""
