"""Recipes of ``lfdeblur ablate``."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..networks.identity import PAIRS
from ..training.config import (
    AugmentConfig,
    Count,
    DataConfig,
    LossConfig,
    NetworkConfig,
    OptimizerConfig,
    Positive,
    RunConfig,
)
from ..training.recipe_files import Part


class StageConfig(Part):
    """A stage of training."""

    steps: Count
    learning_rate: Positive


class EvaluationConfig(Part):
    """A data set to score on; never trained on."""

    name: Annotated[str, Field(pattern=r"^[\w .-]+$")]
    kind: Literal["lfdof", "dpdd", "realdof", "folders", "pixel4"]
    root: str
    split: Literal["train", "val", "test"] = "test"
    listing: str | None = None
    scenes: tuple[str, ...] = ()
    defocused: str | None = None
    sharp: str | None = None
    middle: Annotated[int, Field(ge=32)] | None = None  # pixels in the middle of each picture that are scored


class AblationConfig(Part):
    """A whole recipe.

    Attributes:
        network, augment, optimizer, run: as for ``lfdeblur train``, of every run; the variant and the start are the
            table's, the steps, the rates and the seeds those below.
        stage1, stage2: on light-field and on real pairs.
        feature: the loss of stage 2 in the row that compares it with L1.
        light_field, real: pairs.
        evaluation: what is scored on.
        seeds: runs of each row.
    """

    network: NetworkConfig = NetworkConfig()
    augment: AugmentConfig = AugmentConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig = RunConfig()
    stage1: StageConfig
    stage2: StageConfig
    feature: LossConfig = LossConfig(l1=0.0, feature=1.0)
    light_field: Annotated[tuple[DataConfig, ...], Field(min_length=1)]
    real: Annotated[tuple[DataConfig, ...], Field(min_length=1)]
    evaluation: Annotated[tuple[EvaluationConfig, ...], Field(min_length=1)]
    seeds: Count = 3

    @model_validator(mode="after")
    def _possible(self) -> "AblationConfig":
        for part in (*self.light_field, *self.real):
            if part.kind in ("cuhk", "pixeldp"):
                raise ValueError(f"{part.kind} has no truth to train on")
        if self.network.variant != "full" or self.network.start != "random":
            raise ValueError("network: variant and start are what the table varies; leave them out")
        if self.network.width < PAIRS:
            raise ValueError(f"network.width: got {self.network.width}, the rows' start needs at least {PAIRS}")
        if self.feature.feature == 0:
            raise ValueError("feature: its weight is 0, want a feature loss to compare with L1")
        names = [part.name for part in self.evaluation]
        if len(set(names)) < len(names):
            raise ValueError("evaluation: two sets have one name")
        return self
