"""When a run is written down."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ..io.atomic import atomic_path


class WholeFiles(TorchCheckpointIO):
    """Checkpoints written beside their place and renamed; Lightning's come from the system's temporary folder."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())


class Checkpoints(Checkpoint):
    """One file, replaced every few steps.

    At a step that is validated too it waits for the validation's end: a run killed in between goes on before both, and
    no row of the log is lost.

    Args:
        path: the file.
        every: steps between two checkpoints.
        validate_every: steps between two validations; None: there are none.
    """

    def __init__(self, path: Path, every: int, validate_every: int | None) -> None:
        self.path, self.every, self.validate_every = path, every, validate_every

    def on_train_batch_end(self, trainer: Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.validate_every is None or trainer.global_step % self.validate_every:
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, module: Any) -> None:
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        if trainer.global_step % self.every == 0:
            trainer.save_checkpoint(self.path)
