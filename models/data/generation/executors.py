"""Who does units of work: this process, or several on this machine."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing.connection import wait as wait_for
from typing import Protocol, TypeVar

import torch

from ...system.memory import keep_freed_memory
from .work_units import Outcome, WorkUnit

Unit = TypeVar("Unit")
Result = TypeVar("Result")


class Executor(Protocol):
    """Does units of work somewhere."""

    def outcomes(self, work: Callable[[WorkUnit], Outcome], units: Sequence[WorkUnit]) -> Iterator[Outcome]:
        """What comes of each unit, as it comes.

        Args:
            work: from a unit to its outcome; can be pickled, as the units can.
            units: in any number.

        Raises:
            BrokenExecutor: of ``concurrent.futures``: a worker was killed.
            OutputError: as ``work`` raises it.
        """


class Processes:
    """Processes of this machine; one works in this process itself, and all its cores.

    Args:
        count: of processes.

    Raises:
        ValueError: bad ``count``.
    """

    def __init__(self, count: int = 1) -> None:
        if count < 1:
            raise ValueError(f"workers: got {count}, want at least 1")
        self.count = count

    def outcomes(self, work: Callable[[Unit], Result], units: Sequence[Unit]) -> Iterator[Result]:
        """See :class:`Executor`; any work will do. Never more units are under way than keep the processes busy."""
        count = min(self.count, len(units))
        if count <= 1:
            yield from map(work, units)
            return
        threads = max(1, torch.get_num_threads() // count)
        # Not forked: the children of a process with running threads hang on their locks.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker, initargs=(threads,))
        try:
            waiting = iter(units)
            under_way: set[Future[Result]] = set()
            while True:
                for unit in waiting:
                    under_way.add(pool.submit(work, unit))
                    if len(under_way) >= count + 1:
                        break
                if not under_way:
                    return
                finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker(threads: int) -> None:
    """Runs in each worker: its share of the cores; and it ends when its parent is killed."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait_for([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
