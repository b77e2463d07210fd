"""Progress and cancelling, in one form for all that takes long: ``deblur``, ``evaluate``, ``generate``, ``train``."""

from collections.abc import Callable
from dataclasses import dataclass

from ..io.errors import LfdeblurError


@dataclass(frozen=True)
class Progress:
    """How far a call is; what its ``report`` is called with.

    Attributes:
        task: the call: ``deblur``, ``evaluate``, ``generate``, ``convert`` or ``train``.
        done, total: so many of so many.
        unit: of what: ``pixels``, ``pictures``, ``scenes`` or ``steps``.
        name: the picture that is done, where pictures are counted.
        loss, pairs_per_second: of ``train``, means over the steps since the last row of its log.
    """

    task: str
    done: int
    total: int
    unit: str
    name: str = ""
    loss: float | None = None
    pairs_per_second: float | None = None


class Cancelled(LfdeblurError):
    """The call's ``report`` returned False: it ended early, and left nothing half-written."""


Report = Callable[[Progress], bool | None]


def tell(report: Report | None, progress: Progress) -> None:
    """Call ``report``, where there is one.

    Raises:
        Cancelled: it returned False (None goes on).
    """
    if report is not None and report(progress) is False:
        raise Cancelled(f"{progress.task}: cancelled after {progress.done} of {progress.total} {progress.unit}")
