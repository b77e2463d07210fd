"""The rows of the table, and the runs of training that they need."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..training.config import Config, LossConfig
from .config import AblationConfig, StageConfig

Variant = Literal["full", "no-dynamic-filter", "no-residual", "single-scale"]


@dataclass(frozen=True)
class Run:
    """A run of training; runs that agree in all of these are one.

    Attributes:
        data: ``light field`` or ``real``.
        steps: ``stage 1``, ``stage 2``, or ``both``: so many as both stages have.
        loss: ``L1`` or ``feature``.
        variant: of the network.
        start: ``identity``, ``random``, or the run whose weights it starts from.
    """

    data: Literal["light field", "real"]
    steps: Literal["stage 1", "stage 2", "both"]
    loss: Literal["L1", "feature"]
    variant: Variant
    start: "Run | Literal['identity', 'random']"

    @property
    def name(self) -> str:
        """Of its folder."""
        own = f"{self.variant}-{self.data}-{self.steps}-{self.loss}".replace(" ", "-").lower()
        return f"{self.start.name}--{own}" if isinstance(self.start, Run) else f"{self.start}-{own}"


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: of the variant.
        group: what it varies.
        run: the last one.
        rival: name of the row that it is compared with; None for the first.
    """

    name: str
    group: str
    run: Run
    rival: str | None


def _two_stages(
    variant: Variant = "full", start: Literal["identity", "random"] = "identity", loss: Literal["L1", "feature"] = "L1"
) -> Run:
    return Run("real", "stage 2", loss, variant, Run("light field", "stage 1", "L1", variant, start))


# Without the residual branch a network cannot start as the identity; it and its rival start from random weights.
ROWS = (
    Row("full: light field, then real, L1", "-", _two_stages(), None),
    Row("without dynamic filter", "network", _two_stages("no-dynamic-filter"), "full: light field, then real, L1"),
    Row("single scale", "network", _two_stages("single-scale"), "full: light field, then real, L1"),
    Row("full, random start", "start", _two_stages(start="random"), "full: light field, then real, L1"),
    Row("without residual branch, random start", "network", _two_stages("no-residual", "random"), "full, random start"),
    Row(
        "light field only",
        "data",
        Run("light field", "both", "L1", "full", "identity"),
        "full: light field, then real, L1",
    ),
    Row("real only", "data", Run("real", "both", "L1", "full", "identity"), "full: light field, then real, L1"),
    Row("feature loss in stage 2", "loss", _two_stages(loss="feature"), "full: light field, then real, L1"),
)


def recipe(config: AblationConfig, run: Run, seed: int, start: Path | None) -> Config:
    """What ``lfdeblur train`` is to do for a run; ``start`` is the checkpoint that it starts from, if any."""
    stages = {
        "stage 1": config.stage1,
        "stage 2": config.stage2,
        "both": StageConfig(steps=config.stage1.steps + config.stage2.steps, learning_rate=config.stage1.learning_rate),
    }
    stage = stages[run.steps]
    return Config(
        network=config.network.model_copy(update={"variant": run.variant, "start": str(start or run.start)}),
        data=config.light_field if run.data == "light field" else config.real,
        augment=config.augment,
        loss=LossConfig() if run.loss == "L1" else config.feature,
        optimizer=config.optimizer.model_copy(update={"learning_rate": stage.learning_rate}),
        run=config.run.model_copy(update={"steps": stage.steps, "seed": seed}),
    )
