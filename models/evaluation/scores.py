"""What is measured, and the two protocols under which it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..features import FeatureDistance, feature_network
from .lpips import Lpips, ShiftTolerantLpips
from .metrics import WINDOW, mae, psnr, ssim


@dataclass(frozen=True)
class Metric:
    """A score of a picture against its truth.

    Attributes:
        name: in tables' heads and JSON keys.
        title: with the unit, for people.
        higher: whether more is better.
        least: pixels that both sides of a picture must have.
        colour: whether it takes three channels; grey pictures are then given as three equal ones.
        measure: ``[N, C, H, W]`` twice, output and truth, to ``[N]``.
    """

    name: str
    title: str
    higher: bool
    least: int
    colour: bool
    measure: Callable[[Tensor, Tensor], Tensor]

    def gain(self, before: float, after: float) -> float:
        """How much better ``after`` is; negative where it is worse."""
        return after - before if self.higher else before - after


@dataclass(frozen=True)
class Protocol:
    """How a picture is given to the network and its result to the metrics.

    Attributes:
        name: in tables and JSON.
        definition: for people.
        multiple: pictures are cut at the right and at the bottom to multiples of it.
        levels: the output and the input's own row are rounded to this many steps; None: not rounded.
    """

    name: str
    definition: str
    multiple: int
    levels: int | None

    def crop(self, picture: Tensor) -> Tensor:
        """``[C, H, W]``, cut to the multiple."""
        height, width = (side // self.multiple * self.multiple for side in picture.shape[-2:])
        return picture[..., :height, :width]

    def finish(self, picture: Tensor) -> Tensor:
        """A picture in [0, 1], rounded as the protocol rounds what it scores."""
        return picture if self.levels is None else (picture * self.levels).round() / self.levels


PUBLISHED = Protocol(
    "published",
    "pictures cut to multiples of 16, output not rounded: as the published test code of DRBNet scores",
    16,
    None,
)
WHOLE_PICTURES = Protocol(
    "whole", "whole pictures, output and input rounded to 8 bits: as files on disk are seen", 1, 255
)
PROTOCOLS = (PUBLISHED, WHOLE_PICTURES)


def choose_metrics(
    device: torch.device, *, lpips: str | Path | None = None, st_lpips: bool = False
) -> tuple[Metric, ...]:
    """PSNR, SSIM, MAE, the distance of SqueezeNet's features, and what is asked for.

    Args:
        device: where the pictures will be.
        lpips: torchvision's AlexNet checkpoint, for LPIPS.
        st_lpips: ST-LPIPS too; its weights are in the package ``stlpips_pytorch``.

    Raises: FeatureWeightsError: weights are missing or do not fit.
    """
    metrics = [
        Metric("psnr", "PSNR dB", True, 1, False, psnr),
        Metric("ssim", "SSIM", True, WINDOW, False, ssim),
        Metric("mae", "MAE", False, 1, False, mae),
        Metric("features", "features", False, 32, True, FeatureDistance(feature_network("squeezenet11")).to(device)),
    ]
    if lpips is not None:
        metrics.append(Metric("lpips", "LPIPS", False, 64, True, Lpips(lpips).to(device)))
    if st_lpips:
        metrics.append(Metric("st_lpips", "ST-LPIPS", False, 64, True, ShiftTolerantLpips().to(device)))
    return tuple(metrics)


def least_side(metrics: Sequence[Metric], protocols: Sequence[Protocol] = PROTOCOLS) -> int:
    """Pixels that a picture must have along each side to be scored: before it is cut to a multiple."""
    least = max(metric.least for metric in metrics)
    return max(-(-least // protocol.multiple) * protocol.multiple for protocol in protocols)


@torch.inference_mode()
def score(metrics: Sequence[Metric], output: Tensor, truth: Tensor) -> dict[str, float]:
    """All metrics by name, of one picture and its truth: ``[C, H, W]`` in [0, 1], C = 1 or 3."""
    pictures = output[None], truth[None]
    rgb = output.expand(3, -1, -1)[None], truth.expand(3, -1, -1)[None]
    return {m.name: float(m.measure(*(rgb if m.colour else pictures))) for m in metrics}
