"""Errors of the viewer."""

from ..io.errors import LfdeblurError


class ViewError(LfdeblurError, ValueError):
    """Something that cannot be shown, or no address to show it at; the message is one line."""


class RunError(LfdeblurError, ValueError):
    """Something of a training run that is not there."""
