"""What the command says: results on stdout, all else on stderr by ``logging``; ``--quiet`` and ``--verbose``."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import typer

_LOG = logging.getLogger("lfdeblur")
_HERE = logging.getLogger("lfdeblur.command")
_WORDS = {logging.WARNING: "warning: ", logging.ERROR: "error: ", logging.CRITICAL: "error: "}


class _OneLine(logging.Formatter):
    """``lfdeblur: warning: the message``; of ``-vv`` with the logger's name."""

    def format(self, record: logging.LogRecord) -> str:
        place = f"{record.name.removeprefix('lfdeblur.')}: " if record.levelno < logging.INFO else ""
        return f"lfdeblur: {_WORDS.get(record.levelno, place)}{' '.join(record.getMessage().split())}"


@contextmanager
def messages() -> Iterator[None]:
    """Within it, what is logged is shown on stderr, from warnings on until ``set_level`` says otherwise."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    before = _LOG.level
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            yield
    finally:
        _LOG.removeHandler(handler)
        _LOG.setLevel(before)


def set_level(quiet: bool, verbose: int) -> None:
    """What ``--quiet`` and so many ``--verbose`` ask for; where neither is given, all stays as it is."""
    if quiet:
        _LOG.setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
    elif verbose:
        _LOG.setLevel(logging.INFO if verbose == 1 else logging.DEBUG)


def is_quiet() -> bool:
    """Whether nothing but errors is asked for."""
    return _LOG.level >= logging.ERROR


def say(text: str) -> None:
    """A result, on stdout; nothing with ``--quiet``."""
    if not is_quiet():
        typer.echo(text)


def warn(message: str) -> None:
    """One line on stderr; the command goes on."""
    _HERE.warning("%s", message)


def note(message: str) -> None:
    """What is told with ``--verbose``."""
    _HERE.info("%s", message)


def failed(message: str) -> None:
    """An error of one of many files, in one line on stderr; the command goes on with the others."""
    typer.echo(f"lfdeblur: {' '.join(message.split())}", err=True)
