"""Errors of data: light fields, and data sets of pictures."""

from ..io.errors import LfdeblurError


class LightFieldError(LfdeblurError, ValueError):
    """A light field that cannot be read or used; the message names the file and says what was found and wanted."""


class DataError(LfdeblurError, ValueError):
    """A data set that cannot be used; the message names the folder or file and says why."""
