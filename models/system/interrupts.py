"""Ctrl-C that is never lost, and SIGTERM after which nothing half-written is left."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

RETRY_SECONDS = 0.01
TERMINATED = 128 + signal.SIGTERM  # as shells report it


@contextmanager
def reliable_interrupts() -> Iterator[None]:
    """Within it, SIGINT raises KeyboardInterrupt even when it comes while libvips logs through pyvips.

    An exception raised inside such a callback from C is dropped by cffi with a traceback, and the work goes on; the
    handler waits until the callback is over. Signals that are ignored (as in a shell's background jobs) stay so. Main
    thread only.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or not hasattr(signal, "setitimer"):
        yield
        return
    old_alarm = signal.signal(signal.SIGALRM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old_alarm)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does: half-written files are removed."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread alone
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_name == "_log_handler_callback":  # of pyvips
            signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
            return
        frame = frame.f_back
    raise KeyboardInterrupt
