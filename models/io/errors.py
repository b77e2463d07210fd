"""The base of all errors of this package, and those of files: pictures that come in, results that go out."""


class LfdeblurError(Exception):
    """Whatever is wrong with what this package was given; the message is one line for the user.

    Each error also has the base that fits it of Python's own, mostly ``ValueError``.
    """


class ImageError(LfdeblurError, ValueError):
    """A picture that cannot be read or written; the message names the file and says why."""


class OutputError(LfdeblurError, ValueError):
    """An output folder or file that cannot be written; the message names it and says why."""
