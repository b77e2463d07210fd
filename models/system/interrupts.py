"""Ctrl-C that is never lost."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

RETRY_SECONDS = 0.01


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


def _interrupt(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_name == "_log_handler_callback":  # of pyvips
            signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
            return
        frame = frame.f_back
    raise KeyboardInterrupt
