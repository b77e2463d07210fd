"""The running average of the weights."""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging

from .first_weights import AVERAGE, NETWORK


class RunningAverage(WeightAveraging):
    """An exponential moving average of what is trained, in its place while it is validated.

    A checkpoint holds the average as ``state_dict`` and what is trained as ``current_model_state``. To stand before the
    callbacks that write checkpoints.

    Args:
        decay: what is kept of the average at each step, from 0 to 1.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(use_buffers=False, multi_avg_fn=_running_mean(decay))

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Lightning moves the module later, and the average would be made and kept on the CPU.
        pl_module.to(trainer.strategy.root_device)
        super().setup(trainer, pl_module, stage)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The average does not replace what was trained: a finished run may be given more steps."""


def with_average_apart(checkpoint: dict[str, Any]) -> None:
    """A checkpoint of the time when the average was a part of the module, as ``RunningAverage`` has it; in place."""
    state = checkpoint["state_dict"]
    count = state.pop("average.n_averaged", None)
    if count is not None:
        names = [name for name in state if name.startswith(AVERAGE)]
        averaged = {NETWORK + name.removeprefix(AVERAGE): state.pop(name) for name in names}
        checkpoint["current_model_state"] = state
        checkpoint["state_dict"] = state | averaged
        checkpoint["averaging_state"] = {"n_averaged": count}


def _running_mean(decay: float) -> Callable[[Any, Any, Any], None]:
    """Exponential average that is a plain one at first: the first weights, which know nothing, soon leave it."""

    @torch.no_grad()
    def update(averaged: Any, current: Any, count: Any) -> None:
        number = float(count)
        keep = min(decay, (1 + number) / (10 + number))
        torch._foreach_lerp_(list(averaged), list(current), 1 - keep)

    return update
