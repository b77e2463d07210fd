"""Commands that tests start, wait for and stop; no wait is without an end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    """A fresh interpreter that runs the code, with those of our variables in its environment alone."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("LFDEBLUR_")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=others | environment, capture_output=True, text=True, check=True, timeout=120)


@contextmanager
def started(command: Sequence[Any], **options: Any) -> Iterator[subprocess.Popen]:
    """A process that does not outlive the test.

    Ctrl-C reaches it even where it would not reach the tests: a shell starts its background jobs with SIGINT ignored,
    which children inherit, and the command leaves ignored signals so.
    """
    process = subprocess.Popen(
        [str(part) for part in command],
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=60)


def wait_until(condition: Callable[[], Any], process: subprocess.Popen, seconds: float = 120) -> None:
    """Until the condition holds or the process has ended."""
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None:
        if time.monotonic() > deadline:
            pytest.fail(f"{process.args!r:.200}: not so far after {seconds} s")
        time.sleep(0.005)
