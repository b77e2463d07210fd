"""Training of a DRBNet as Lightning runs it."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from ..evaluation.metrics import psnr
from ..networks import DRBNet
from .average import with_average_apart
from .config import Config
from .loss import RestorationLoss
from .schedule import rate_at


class Deblurring(LightningModule):
    """A network, its loss and its optimiser.

    Batches are dicts of pictures ``[N, 3, H, W]`` in [0, 1]: ``defocused``, ``sharp`` and, for two views, ``left`` and
    ``right``.

    Attributes:
        network: what is trained.
    """

    def __init__(self, config: Config, network: DRBNet) -> None:
        super().__init__()
        self.config, self.network = config, network
        self.loss = RestorationLoss(config.loss)
        if config.run.compile:
            self.network.compile()

    def restore(self, batch: dict[str, Tensor]) -> Tensor:
        """The network's output for a batch, in [0, 1], float32 for losses also where the network ran in bfloat16."""
        names = ("defocused", "left", "right") if self.config.network.views == 2 else ("defocused",)
        output: Tensor = self.network(*(batch[name] * 2 - 1 for name in names))
        return (output.float() + 1) / 2

    def training_step(self, batch: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        output = self.restore(batch)
        parts: dict[str, Tensor] = self.loss(output, batch["sharp"])
        return {name: value if name == "loss" else value.detach() for name, value in parts.items()}

    def validation_step(self, batch: dict[str, Any], index: int) -> dict[str, Any]:
        output = self.restore(batch).clamp(0, 1)
        return {
            "name": batch["name"][0],
            "input": float(psnr(batch["defocused"], batch["sharp"])),
            "output": float(psnr(output, batch["sharp"])),
            "pictures": torch.cat([batch["defocused"][0], output[0], batch["sharp"][0]], 2),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        with_average_apart(checkpoint)

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
