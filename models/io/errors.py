"""Errors of files: pictures that come in, results that go out."""


class ImageError(ValueError):
    """A picture that cannot be read or written; the message names the file and says why."""


class OutputError(ValueError):
    """An output folder or file that cannot be written; the message names it and says why."""
