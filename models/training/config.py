"""Recipes of training: TOML files, checked whole before any work.

TOML because it is typed (YAML 1.1 reads ``1e-4`` as text and ``no`` as false), holds comments, and is read by Python's
own library from 3.11 on.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..data.noise import parse_noise
from ..networks.identity import PAIRS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECIPES = Path(__file__).parent.parent / "assets" / "recipes"


class ConfigError(ValueError):
    """A recipe that cannot be used; the message names the key, what it got and what it wants."""


class Part(BaseModel):
    """A part of a recipe: unknown keys are errors, values are of the stated types, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Recipe = TypeVar("Recipe", bound=BaseModel)
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

    kind: Literal["light-fields", "shards", "lfdof", "dpdd", "realdof", "folders", "pixel4", "cuhk", "pixeldp"]
    root: str | None = None
    split: Literal["train", "val", "test"] = "train"
    listing: str | None = None
    scenes: tuple[str, ...] = ()  # of pixel4: only these
    defocused: str | None = None
    sharp: str | None = None
    light_fields: tuple[str, ...] = ()
    truth: Literal["center", "refocus"] = "center"
    sensor_noise: str | None = None
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
        return self


class AugmentConfig(Part):
    """What is done to a pair at random."""

    crop: Annotated[int, Field(ge=8)] = 256
    flip: bool = True
    rotate: bool = True
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0  # largest standard deviation, of values in [0, 1]


class LossConfig(Part):
    """``l1 * L1 + feature * FeatureLoss``."""

    l1: Annotated[float, Field(ge=0)] = 1.0
    feature: Annotated[float, Field(ge=0)] = 0.0
    network: Literal["squeezenet11", "efficientnet-lite0", "vgg19"] = "squeezenet11"
    layers: tuple[str, ...] | None = None
    weights: str | None = None

    @model_validator(mode="after")
    def _some(self) -> "LossConfig":
        if self.l1 == 0 and self.feature == 0:
            raise ValueError("l1 and feature: both are 0, want a weight for at least one")
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
    """Pictures to watch; never trained on."""

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

    @model_validator(mode="after")
    def _possible(self) -> "Config":
        for part in self.data:
            if part.kind in ("cuhk", "pixeldp"):
                raise ValueError(f"data: {part.kind} has no truth to train on")
        if self.validation is not None and self.validation.kind in ("cuhk", "pixeldp"):
            raise ValueError(f"validation: {self.validation.kind} has no truth to score against")
        return self


def recipes() -> list[str]:
    """Names of the recipes that ship."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read_config(source: str | Path, changes: Sequence[str] = ()) -> Config:
    """A recipe of ``lfdeblur train``; see ``read_recipe``."""
    return read_recipe(Config, source, changes)


def read_recipe(kind: type[Recipe], source: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """A recipe from a file or, where no such file exists, from those that ship, by name.

    Args:
        kind: of the recipe.
        source: path or name.
        changes: ``KEY=VALUE``, the value in TOML or, if it is none, taken as text: ``data.0.root=/data/LFDOF``,
            ``run.steps=200``.

    Raises:
        ConfigError: no such file, not TOML, or a key that is unknown, missing or out of range.
    """
    path = Path(source)
    if not path.is_file():
        shipped = RECIPES / f"{source}.toml"
        if str(source) not in recipes():
            raise ConfigError(f"{source}: no such file, nor a shipped recipe: {', '.join(recipes())}")
        path = shipped
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not a readable TOML file ({error})") from error
    for change in changes:
        _apply(values, change)
    return parse_recipe(kind, values, str(source))


def parse_config(values: dict[str, Any], source: str = "recipe") -> Config:
    """A recipe of ``lfdeblur train`` from plain values. Raises ConfigError as ``read_recipe``."""
    return parse_recipe(Config, values, source)


def parse_recipe(kind: type[Recipe], values: dict[str, Any], source: str = "recipe") -> Recipe:
    """A recipe from plain values. Raises ConfigError as ``read_recipe``."""
    try:
        return kind.model_validate(_tuples(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        got = "" if first["type"] in ("missing", "value_error") else f" (got {first['input']!r})"
        raise ConfigError(
            f"{source}: {place or 'recipe'}: {first['msg'].removeprefix('Value error, ')}{got}"
        ) from error


def _tuples(value: Any) -> Any:
    """Lists as tuples, whole numbers untouched: what the strict models take."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value


def _apply(values: Any, change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set: got {change!r}, want KEY=VALUE")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    place = values
    for number, parent in enumerate(parents):
        if isinstance(place, list):
            place = place[_index(place, parent, key)]
        elif parent in place:
            place = place[parent]
        else:
            later = (*parents, last)[number + 1]
            place[parent] = [{}] if later == "0" else {}
            place = place[parent]
        if not isinstance(place, (dict, list)):
            raise ConfigError(f"--set: {key}: {parent} is a value, not a part of the recipe")
    if isinstance(place, list):
        place[_index(place, last, key)] = value
    else:
        place[last] = value


def _index(place: list[Any], text: str, key: str) -> int:
    if not text.isdigit() or int(text) >= len(place):
        raise ConfigError(f"--set: {key}: got {text!r}, want a number below {len(place)}")
    return int(text)
