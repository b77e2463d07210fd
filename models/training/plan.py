"""What a run of training is about to do, for a person to read before it begins."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .config import Config, DataConfig
from .loaders import PairData
from .module import Deblurring
from .sampling import ENDLESS


@dataclass(frozen=True)
class Plan:
    """A run that is checked and has not begun.

    Attributes:
        lines: what it is, by words: network, data, device and so on.
        steps: of the whole run.
        batch: pairs of each.
    """

    lines: dict[str, str]
    steps: int
    batch: int

    def __str__(self) -> str:
        return "\n".join(f"{name:<12}{text}" for name, text in self.lines.items())


def plan(config: Config, module: Deblurring, data: PairData, out: Path) -> Plan:
    """What the run by this recipe does, its network and data opened already."""
    network, run, augment = config.network, config.run, config.augment
    count = sum(parameter.numel() for parameter in module.network.parameters())
    views = "dual view" if network.views == 2 else "single view"
    variant = "" if network.variant == "full" else f", {network.variant}"
    lines = {
        "network": f"DRBNet, {views}, width {network.width}, {network.scales} scales{variant}: {count / 1e6:.2f} M "
        f"parameters, from {network.start}"
    }
    sources: list[Any] = data.pairs.sources
    lines["data"] = "; ".join(
        f"{_pairs(len(source))} of {_place(part)}" for part, source in zip(config.data, sources, strict=True)
    )
    if config.validation is not None and data.watched is not None:
        watched: Any = data.watched
        every = f"every {run.validate_every} steps"
        lines["validation"] = f"{len(watched)} pictures of {_place(config.validation)}, {every}"
    where = "cuda" if run.accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    processes = run.devices * run.nodes
    many = f", {processes} processes" if processes > 1 else ""
    lines["device"] = f"{where}{many}, {run.precision}"
    lines["steps"] = f"{run.steps} of {run.batch} pairs of {augment.crop}x{augment.crop} pixels, seed {run.seed}"
    lines["checkpoints"] = f"{out}, every {run.checkpoint_every} steps"
    return Plan(lines, run.steps, run.batch)


def _pairs(count: int) -> str:
    return "endless pairs" if count >= ENDLESS else f"{count} pairs"


def _place(part: DataConfig) -> str:
    places = part.light_fields or ((part.root,) if part.root is not None else ())
    return " ".join(filter(None, [part.kind, *places]))
