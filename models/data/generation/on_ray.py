"""Units of work on the machines of a Ray cluster."""

import logging
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...io.errors import OutputError
from .work_units import Outcome, WorkUnit


class OnRay:
    """Units of work as rows of a Ray data set that is mapped over the cluster.

    Connects to the cluster that ``RAY_ADDRESS`` names, else starts one on this machine. Every machine must see the
    sources and the output: a shared folder, or URLs of a storage that fsspec knows.

    Args:
        count: tasks at a time, one core each.

    Raises:
        OutputError: Ray is not installed. ValueError: bad ``count``.
    """

    def __init__(self, count: int = 1) -> None:
        if count < 1:
            raise ValueError(f"workers: got {count}, want at least 1")
        try:
            import ray  # noqa: F401
        except ImportError as error:
            raise OutputError("ray is not installed: pip install 'lfdeblur[ray]'") from error
        self.count = count

    def outcomes(self, work: Callable[[WorkUnit], Outcome], units: Sequence[WorkUnit]) -> Iterator[Outcome]:
        """See :class:`~.executors.Executor`."""
        import ray

        if not units:
            return
        if not ray.is_initialized():
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster of our own tells nobody about itself
            ray.init(log_to_driver=False, logging_level=logging.WARNING)
        ray.data.DataContext.get_current().enable_progress_bars = False

        def row_of_outcome(row: dict[str, Any]) -> dict[str, Any]:
            try:
                return {"outcome": pickle.dumps(work(pickle.loads(row["unit"])))}
            except OutputError as error:  # Ray would wrap it in a trace of its own
                return {"outcome": pickle.dumps(error)}

        # A block a unit: they differ in size, and a task that dies is run again.
        rows = ray.data.from_items([{"unit": pickle.dumps(unit)} for unit in units], override_num_blocks=len(units))
        mapped = rows.map(row_of_outcome, num_cpus=1, compute=ray.data.TaskPoolStrategy(size=self.count))
        logging.getLogger("ray.data").setLevel(logging.WARNING)  # its plans are nothing that a user asked for
        for row in mapped.iter_rows():
            outcome = pickle.loads(row["outcome"])
            if isinstance(outcome, OutputError):
                raise outcome
            yield outcome
