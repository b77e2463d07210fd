"""Tiny runs of training that tests share."""

import csv
from typing import Any

import torch
import torch.nn.functional as F

from lfdeblur_models.io.images import write_image
from lfdeblur_models.training.config import parse_config


def write_pairs(root, count=3, height=40, width=48, folders=("source", "target"), seed=0):
    """Sharp textures and their blurred copies, 8 bits."""
    generator = torch.Generator().manual_seed(seed)
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        sharp = F.interpolate(torch.rand(1, 3, height // 6, width // 6, generator=generator), size=(height, width))
        blurred = F.avg_pool2d(F.pad(sharp, (1, 1, 1, 1), mode="replicate"), 3, 1)
        for folder, picture in zip(folders, (blurred, sharp), strict=False):
            write_image(root / folder / f"{number}.png", (picture[0] * 255).round().to(torch.uint8))
    return root


def recipe(root, **parts):
    """A recipe of a few steps on folders of pairs; ``parts`` are added section by section."""
    values: dict[str, Any] = {
        "network": {"width": 6, "scales": 2, "kernel_size": 3, "start": "identity"},
        "data": [{"kind": "folders", "root": str(root), "cache": 10}],
        "augment": {"crop": 24, "noise": 0.01},
        "optimizer": {"learning_rate": 1e-3, "clip": 0.5, "warmup": 2},
        "run": {
            "steps": 4,
            "batch": 2,
            "workers": 0,
            "accelerator": "cpu",
            "log_every": 1,
            "checkpoint_every": 100,
            "validate_every": 100,
            "ema": 0.9,
        },
    }
    for name, part in parts.items():
        values[name] = values.get(name, {}) | part if isinstance(part, dict) else part
    return parse_config(values)


def as_toml(config):
    """A recipe as the command reads it: JSON's values are TOML's, save null."""
    import json

    lines = []
    for section, value in config.model_dump(exclude_none=True).items():
        for part in value if isinstance(value, tuple) else [value]:
            lines.append(f"[[{section}]]" if isinstance(value, tuple) else f"[{section}]")
            lines += [f"{key} = {json.dumps(inner)}" for key, inner in part.items()]
    return "\n".join(lines) + "\n"


def rows(out, name):
    """The rows of a log."""
    with open(out / name, newline="") as file:
        return list(csv.DictReader(file))


def curve(out, name="training.csv", column="loss"):
    """A column of a log, by step."""
    table = rows(out, name)
    steps = [int(row["step"]) for row in table]
    assert len(set(steps)) == len(steps)
    return {step: float(row[column]) for step, row in zip(steps, table, strict=True)}
