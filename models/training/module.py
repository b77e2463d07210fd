"""Training of a DRBNet as Lightning runs it."""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from ..networks import DRBNet
from .config import Config
from .loss import RestorationLoss
from .schedule import rate_at


class Deblurring(LightningModule):
    """A network, its running average, its loss and its optimiser.

    Batches are dicts of pictures ``[N, 3, H, W]`` in [0, 1]: ``defocused``, ``sharp`` and, for two views, ``left`` and
    ``right``.

    Attributes:
        network: what is trained.
        average: the exponential moving average of its weights; None where the recipe asks for none.
    """

    def __init__(self, config: Config, network: DRBNet) -> None:
        super().__init__()
        self.config, self.network = config, network
        self.loss = RestorationLoss(config.loss)
        self.average: AveragedModel | None = None
        if config.run.ema:
            self.average = AveragedModel(network, multi_avg_fn=_running_mean(config.run.ema))
            self.average.requires_grad_(False)
        if config.run.compile:
            self.network.compile()

    @property
    def best(self) -> torch.nn.Module:
        """The network to use: the average, or else what is trained."""
        return self.network if self.average is None else self.average.module

    def restore(self, network: torch.nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The network's output for a batch, in [0, 1], float32 for losses also where the network ran in bfloat16."""
        names = ("defocused", "left", "right") if self.config.network.views == 2 else ("defocused",)
        output: Tensor = network(*(batch[name] * 2 - 1 for name in names))
        return (output.float() + 1) / 2

    def training_step(self, batch: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        output = self.restore(self.network, batch)
        parts: dict[str, Tensor] = self.loss(output, batch["sharp"])
        return {name: value if name == "loss" else value.detach() for name, value in parts.items()}

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        # Here and not at the batch's end: checkpoints are written before the module hears of that.
        super().optimizer_step(*arguments, **options)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def validation_step(self, batch: dict[str, Any], index: int) -> dict[str, Any]:
        output = self.restore(self.best, batch).clamp(0, 1)
        return {
            "name": batch["name"][0],
            "input": float(psnr(batch["defocused"], batch["sharp"])),
            "output": float(psnr(output, batch["sharp"])),
            "pictures": torch.cat([batch["defocused"][0], output[0], batch["sharp"][0]], 2),
        }

    def configure_optimizers(self) -> Any:
        config = self.config.optimizer
        optimizer = torch.optim.AdamW(
            [parameter for parameter in self.network.parameters() if parameter.requires_grad],
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_at(step, self.config.run.steps, config)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def psnr(output: Tensor, target: Tensor) -> Tensor:
    """Decibels, for values in [0, 1]."""
    return -10 * (output - target).square().mean().clamp_min(1e-12).log10()


def _running_mean(decay: float) -> Callable[[Any, Any, Any], None]:
    """Exponential average that is a plain one at first: the first weights, which know nothing, soon leave it."""

    @torch.no_grad()
    def update(averaged: Any, current: Any, count: Any) -> None:
        number = float(count)
        keep = min(decay, (1 + number) / (10 + number))
        torch._foreach_lerp_(list(averaged), list(current), 1 - keep)

    return update
