"""``evaluate``: a network's restored pictures scored against their truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean

import torch
from torch import Tensor

from ..inference.deblur import deblur
from ..inference.tiled_network import BudgetError
from ..io.errors import ImageError
from ..networks import DRBNet
from ..system.progress import Progress, Report, tell
from .picture_sets import PictureSet, Scene
from .scores import PROTOCOLS, Metric, Protocol, score

Restore = Callable[[Scene], Tensor]
Keep = Callable[[int, Scene, Tensor], None]


@dataclass(frozen=True)
class Row:
    """The scores of one picture under one protocol."""

    picture: str
    input: dict[str, float]
    output: dict[str, float]


@dataclass
class Evaluation:
    """Scores by protocol, and what failed.

    Attributes:
        metrics: what was measured.
        rows: for each protocol's name the pictures in order.
        failed: a reason for each picture that is missing from the rows, its name first.
    """

    metrics: tuple[Metric, ...]
    rows: dict[str, list[Row]]
    failed: list[str] = field(default_factory=list)

    def mean(self, protocol: str, which: str) -> dict[str, float]:
        """Over the pictures, of ``input`` or ``output``."""
        rows = [getattr(row, which) for row in self.rows[protocol]]
        return {metric.name: fmean(row[metric.name] for row in rows) for metric in self.metrics}

    def gain(self, before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
        """How much better each score became; positive is better for every metric."""
        return {m.name: m.gain(before[m.name], after[m.name]) for m in self.metrics}


def evaluate(
    scenes: PictureSet,
    restore: Restore,
    metrics: Sequence[Metric],
    *,
    protocols: Sequence[Protocol] = PROTOCOLS,
    device: torch.device | None = None,
    keep: Keep = lambda index, scene, restored: None,
    progress: Callable[[str], None] = lambda picture: None,
    report: Report | None = None,
) -> Evaluation:
    """Restore every picture and score it where the set has truth.

    The network sees a picture as the protocol cuts it; where two protocols cut alike it runs once.

    Args:
        scenes: the data set.
        restore: from a scene to the restored picture, ``[C, H, W]`` float32 in [0, 1], not rounded.
        metrics: as ``choose_metrics`` gives them.
        protocols: how to score; a set without truth is restored whole and not scored.
        device: where scores are computed; default: the CPU.
        keep: is given each scene's number, the scene and its restored picture, both as the last protocol cuts them
            (whole without truth).
        progress: is told each picture's name when it is done.
        report: called with a ``Progress`` after each picture; where it returns False the call ends with ``Cancelled``.

    Returns: the scores. A picture that cannot be read or restored is in ``failed`` and in no row.
    """
    found = Evaluation(tuple(metrics), {protocol.name: [] for protocol in protocols} if scenes.truth else {})
    for index, name in enumerate(scenes.names):
        try:
            scene = scenes[index]
            rows = _score_picture(name, scene, restore, metrics, protocols, device, partial(keep, index))
        except (ImageError, FloatingPointError, MemoryError, torch.OutOfMemoryError, BudgetError) as error:
            reason = str(error) or "not enough memory"
            path = scenes.items[index].defocused
            found.failed.append(reason if isinstance(error, ImageError) else f"{path}: {reason}")
        else:
            for protocol, row in rows.items():
                found.rows[protocol].append(row)
        progress(name)
        tell(report, Progress("evaluate", index + 1, len(scenes.names), "pictures", name=name))
    return found


def restorer(
    network: DRBNet, *, tile: int | None = None, overlap: int | None = None, memory: int | None = None
) -> Restore:
    """``lfdeblur_models.deblur`` with a network, single or dual view."""

    def restore(scene: Scene) -> Tensor:
        dual = network.views == 2
        return deblur(
            network,
            scene.defocused,
            left=scene.left if dual else None,
            right=scene.right if dual else None,
            tile=tile,
            overlap=overlap,
            memory=memory,
        )

    return restore


def _score_picture(
    name: str,
    scene: Scene,
    restore: Restore,
    metrics: Sequence[Metric],
    protocols: Sequence[Protocol],
    device: torch.device | None,
    keep: Callable[[Scene, Tensor], None],
) -> dict[str, Row]:
    if scene.sharp is None:
        keep(scene, _restored(restore, scene))
        return {}
    rows: dict[str, Row] = {}
    done: dict[tuple[int, ...], Tensor] = {}
    for protocol in protocols:
        cut = _cropped(scene, protocol)
        size = tuple(cut.defocused.shape)
        if size not in done:
            done[size] = _restored(restore, cut)
        pictures = (protocol.finish(cut.defocused), protocol.finish(done[size]), cut.sharp)
        before, after, truth = (picture.to(device) for picture in pictures if picture is not None)
        rows[protocol.name] = Row(name, score(metrics, before, truth), score(metrics, after, truth))
    keep(cut, done[size])
    return rows


def _restored(restore: Restore, scene: Scene) -> Tensor:
    output = restore(scene)
    if not bool(torch.isfinite(output).all()):
        raise FloatingPointError("the network gives NaN or infinite values; try --dtype float32")
    return output.clamp(0, 1)


def _cropped(scene: Scene, protocol: Protocol) -> Scene:
    kinds = ("defocused", "sharp", "left", "right")
    pictures = {kind: getattr(scene, kind) for kind in kinds if getattr(scene, kind) is not None}
    return Scene(**{kind: protocol.crop(picture).contiguous() for kind, picture in pictures.items()}, info=scene.info)
