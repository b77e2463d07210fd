"""The error of everything that reads or takes light fields."""


class LightFieldError(ValueError):
    """A light field that cannot be read or used; the message names the file and says what was found and wanted."""
