"""What a recipe of training may say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..data.rendering.layered import OPTIONS, RenderingOptions
from ..data.rendering.noise import parse_noise
from ..networks.identity import PAIRS
from .recipe_files import Part, parse_recipe, read_recipe

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class NetworkConfig(Part):
    """The network and where it starts from."""

    views: Literal[1, 2] = 1
    width: Count = 32
    kernel_size: Literal[1, 3, 5, 7, 9, 11, 13, 15] = 7
    scales: Count = 4
    variant: Literal["full", "no-dynamic-filter", "no-residual", "single-scale"] = "full"
    start: str = "random"  # random, identity, or a file: a checkpoint of this command, or weights
    start_noise: Annotated[float, Field(ge=0)] = 0.02  # of identity: on the silenced weights, share of their usual size

    @model_validator(mode="after")
    def _startable(self) -> "NetworkConfig":
        if self.start == "identity" and self.variant == "no-residual":
            raise ValueError("start: identity needs the residual branch, which carries the picture's detail")
        restored = 1 if self.variant == "single-scale" else self.scales
        if self.start == "identity" and self.width < PAIRS and restored > 1:
            raise ValueError(f"width: got {self.width}, start: identity needs at least {PAIRS}")
        return self


class DataConfig(Part):
    """One source of pairs."""

    kind: Literal[
        "light-fields", "shards", "lfdof", "dpdd", "realdof", "folders", "pixel4", "cuhk", "pixeldp", "rendered"
    ]
    root: str | None = None
    split: Literal["train", "val", "test"] = "train"
    listing: str | None = None
    scenes: tuple[str, ...] = ()  # of pixel4: only these
    defocused: str | None = None
    sharp: str | None = None
    light_fields: tuple[str, ...] = ()
    truth: Literal["center", "refocus"] = "center"
    sensor_noise: str | None = None
    rendering: dict[str, int | float] = Field(
        default_factory=dict
    )  # of rendered: what RenderingOptions takes, but for the side
    weight: Positive = 1.0
    cache: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _complete(self) -> "DataConfig":
        if self.kind == "light-fields" and not self.light_fields:
            raise ValueError("light_fields: none given, want at least one path")
        if self.kind != "light-fields" and self.root is None:
            raise ValueError(f"root: missing, want the folder of {self.kind}")
        if self.kind != "pixel4" and self.scenes:
            raise ValueError(f"scenes: only pixel4 has them, got {self.kind}")
        if self.sensor_noise is not None:
            parse_noise(self.sensor_noise)
        self._renderable()
        return self

    def _renderable(self) -> None:
        if self.kind != "rendered" and self.rendering:
            raise ValueError(f"rendering: only rendered has it, got {self.kind}")
        known = [name for name in OPTIONS if name != "side"]
        for name in self.rendering:
            if name not in known:
                raise ValueError(f"rendering: got {name}, want some of {', '.join(known)}")
        RenderingOptions(**self.rendering)  # type: ignore[arg-type]


class AugmentConfig(Part):
    """What is done to a pair at random."""

    crop: Annotated[int, Field(ge=8)] = 256
    flip: bool = True
    rotate: bool = True
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0  # largest standard deviation, of values in [0, 1]


class LossConfig(Part):
    """``l1 * L1 + frequency * FourierLoss + feature * FeatureLoss``."""

    l1: Annotated[float, Field(ge=0)] = 1.0
    frequency: Annotated[float, Field(ge=0)] = 0.0
    feature: Annotated[float, Field(ge=0)] = 0.0
    network: Literal["squeezenet11", "efficientnet-lite0", "vgg19"] = "squeezenet11"
    layers: tuple[str, ...] | None = None
    weights: str | None = None

    @model_validator(mode="after")
    def _some(self) -> "LossConfig":
        if self.l1 == self.frequency == self.feature == 0:
            raise ValueError("l1, frequency and feature: all are 0, want a weight for at least one")
        return self


class OptimizerConfig(Part):
    """AdamW and its schedule."""

    learning_rate: Positive = 2e-4
    betas: tuple[Share, Share] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    clip: Annotated[float, Field(ge=0)] = 1.0  # largest norm of all gradients; 0: none
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup: Annotated[int, Field(ge=0)] = 0  # steps
    last: Share = 0.01  # of cosine: share of the rate that is left at the end
    milestones: tuple[Share, ...] = (0.5, 0.75)  # of step: as shares of all steps
    factor: Annotated[float, Field(gt=0, le=1)] = 0.5


class RunConfig(Part):
    """How long, on what, and what is kept."""

    steps: Count = 1000
    batch: Count = 8  # pairs per step, of all processes together
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    ema: Share = 0.999  # decay; 0: none
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Count = 1
    nodes: Count = 1
    workers: Annotated[int, Field(ge=0)] = 2
    checkpoint_every: Count = 500
    validate_every: Count = 1000
    log_every: Count = 10

    @model_validator(mode="after")
    def _divides(self) -> "RunConfig":
        if self.batch % (self.devices * self.nodes):
            raise ValueError(f"batch: got {self.batch}, want a multiple of the {self.devices * self.nodes} processes")
        return self


class ValidationConfig(DataConfig):
    """Pictures to watch; never trained on. Without a root they are of the folder of the first data of their kind."""

    split: Literal["train", "val", "test"] = "test"
    crop: Annotated[int, Field(ge=32)] = 512  # of the middle of each picture
    pictures: Count = 4


class Config(Part):
    """A whole recipe."""

    network: NetworkConfig = NetworkConfig()
    data: Annotated[tuple[DataConfig, ...], Field(min_length=1)]
    validation: ValidationConfig | None = None
    augment: AugmentConfig = AugmentConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig = RunConfig()

    @model_validator(mode="before")
    @classmethod
    def _one_root(cls, values: Any) -> Any:
        """Validation without a root is of the same folder as the first data of its kind."""
        if not isinstance(values, dict) or not isinstance(values.get("validation"), dict):
            return values
        watched, data = values["validation"], values.get("data")
        if "root" in watched or not isinstance(data, (list, tuple)):
            return values
        mine = [part for part in data if isinstance(part, dict) and part.get("kind") == watched.get("kind")]
        root = next((part["root"] for part in mine if "root" in part), None)
        return values if root is None else values | {"validation": watched | {"root": root}}

    @model_validator(mode="after")
    def _possible(self) -> "Config":
        for part in self.data:
            if part.kind in ("cuhk", "pixeldp"):
                raise ValueError(f"data: {part.kind} has no truth to train on")
        if self.validation is not None and self.validation.kind in ("cuhk", "pixeldp"):
            raise ValueError(f"validation: {self.validation.kind} has no truth to score against")
        return self


def read_config(source: str | Path, changes: Sequence[str] = ()) -> Config:
    """A recipe of ``lfdeblur train``; see ``read_recipe``."""
    return read_recipe(Config, source, changes)


def parse_config(values: dict[str, Any], source: str = "recipe") -> Config:
    """A recipe of ``lfdeblur train`` from plain values. Raises ConfigError as ``read_recipe``."""
    return parse_recipe(Config, values, source)
