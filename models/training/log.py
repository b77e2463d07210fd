"""What a run leaves behind: CSV files, TensorBoard, weights."""

import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch.utils.tensorboard import SummaryWriter

from ..io.atomic import atomic_path
from ..networks.weights import save_weights
from ..system.progress import Cancelled, Report, tell
from ..system.progress import Progress as Told
from .errors import DivergedError
from .first_weights import weights_of

TRAINING, VALIDATION, WEIGHTS = "training.csv", "validation.csv", "weights.safetensors"
COLUMNS = {
    TRAINING: ("step", "pairs", "seconds", "pairs_per_second", "learning_rate", "loss", "l1", "feature", "frequency"),
    VALIDATION: ("step", "picture", "psnr_input", "psnr"),
}
Progress = Callable[[int, float, float], None]


class RunLog(Callback):
    """Losses every ``log_every`` steps, validation, and the averaged weights with every checkpoint.

    A run that goes on drops the rows that are later than its checkpoint, so the curve has each step once. ``seconds``
    counts from the start of the process.

    Args:
        out: the run's folder.
        progress: called after each step with the steps done, the loss and the pairs per second.
        report: called after each step; where it returns False the run stops after that step.

    Attributes:
        cancelled: that it did.

    Raises: DivergedError: during the run; the files then hold what came before.
    """

    def __init__(self, out: Path, progress: Progress, report: Report | None = None) -> None:
        self.out, self.progress, self.report = out, progress, report
        self.cancelled: Cancelled | None = None
        self.writer: SummaryWriter | None = None
        self.begun = self.last = self.paused = time.monotonic()
        self.sums: dict[str, float] = {}  # since the last row
        self.count = 0
        self.timed = 0  # steps since ``last``

    def state_dict(self) -> dict[str, Any]:
        return {"sums": self.sums, "count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.sums, self.count = state_dict["sums"], state_dict["count"]

    def on_train_start(self, trainer: Trainer, module: Any) -> None:
        if trainer.is_global_zero:
            for name in COLUMNS:
                _keep_until(self.out / name, COLUMNS[name], trainer.global_step)
            self.writer = SummaryWriter(str(self.out / "tensorboard"), purge_step=trainer.global_step + 1)
        self.begun = self.last = time.monotonic()
        self.timed = 0

    def on_train_batch_end(self, trainer: Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if not trainer.is_global_zero:
            return
        run, step = module.config.run, trainer.global_step
        if not math.isfinite(outputs["loss"]):
            raise _diverged(step, f"the loss is {float(outputs['loss'])}")
        for name, value in outputs.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        self.count += 1
        self.timed += 1
        now = time.monotonic()
        speed = self.timed * run.batch / max(now - self.last, 1e-9)
        loss = self.sums["loss"] / self.count
        self.progress(step, loss, speed)
        told = Told("train", step, run.steps, "steps", loss=loss, pairs_per_second=speed)
        if step % run.log_every == 0 or step == run.steps:
            values = {name: total / self.count for name, total in self.sums.items()}
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            shared = {"pairs_per_second": speed, "learning_rate": rate} | values
            place = {"step": step, "pairs": step * run.batch, "seconds": now - self.begun}
            _append(self.out / TRAINING, COLUMNS[TRAINING], place | shared)
            assert self.writer is not None
            for name, value in shared.items():
                self.writer.add_scalar(f"training/{name}", value, step)
            self.sums, self.count, self.timed, self.last = {}, 0, 0, now
        try:
            tell(self.report, told)
        except Cancelled as error:
            if trainer.world_size > 1:  # the others would wait for this one
                raise
            self.cancelled, trainer.should_stop = error, True

    def on_validation_start(self, trainer: Trainer, module: Any) -> None:
        self.paused = time.monotonic()

    def on_validation_batch_end(
        self, trainer: Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if self.writer is None:
            return
        step = trainer.global_step
        row = {
            "step": step,
            "picture": outputs["name"],
            "psnr_input": outputs["input"],
            "psnr": outputs["output"],
        }
        _append(self.out / VALIDATION, COLUMNS[VALIDATION], row)
        self.writer.add_scalar(f"psnr/{outputs['name']}", outputs["output"], step)
        self.writer.add_image(f"validation/{outputs['name']}", outputs["pictures"].clamp(0, 1).cpu(), step)

    def on_validation_end(self, trainer: Trainer, module: Any) -> None:
        self.last += time.monotonic() - self.paused  # the time of validation is not training's

    def on_save_checkpoint(self, trainer: Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        # Gradients that are not finite spoil the weights one step before the loss tells.
        if not all(bool(torch.isfinite(parameter).all()) for parameter in module.network.parameters()):
            raise _diverged(trainer.global_step, "weights are not finite")
        if trainer.is_global_zero:
            weights = weights_of(checkpoint["state_dict"])
            save_weights(module.network.configuration, weights, self.out / WEIGHTS)

    def teardown(self, trainer: Trainer, module: Any, stage: str) -> None:
        if self.writer is not None:
            self.writer.close()


def _diverged(step: int, what: str) -> DivergedError:
    return DivergedError(
        f"step {step}: {what}; checkpoint, weights and logs of before are kept. Start again, or from them with "
        "network.start, with a lower optimizer.learning_rate or optimizer.clip"
    )


def _append(path: Path, columns: tuple[str, ...], row: dict[str, Any]) -> None:
    new = not path.exists()
    with open(path, "a", newline="") as file:
        table = csv.DictWriter(file, columns)
        if new:
            table.writeheader()
        table.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()})


def _keep_until(path: Path, columns: tuple[str, ...], step: int) -> None:
    """Drop the rows after a step, and a last one that was cut off."""
    if not path.exists():
        return
    if step == 0:
        path.unlink()
        return
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if None not in row.values() and int(row["step"]) <= step]
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(rows)
