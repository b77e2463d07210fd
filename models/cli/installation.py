"""What runs on this machine: of ``lfdeblur info``, and of what ``deblur`` reports."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import lfdeblur_ops

OPS = (
    "refocus",
    "dynamic_filter",
    "dynamic_filter_separable",
    "drb_head",
    "conv3x3",
    "conv_transpose4x4",
    "residual_block",
)
_ON = {
    "cpu": {"cpu": "compiled kernel", "reference": "PyTorch reference (slower)"},
    "cuda": {"cuda": "CUDA kernel", "triton": "Triton kernel", "reference": "PyTorch reference (slower)"},
}


def kernels_of(device: torch.device) -> str:
    """What the network's layers run on there: ``compiled kernels``."""
    forced = os.environ.get("LFDEBLUR_BACKEND", "auto")
    if forced != "auto":
        return f"back end {forced}"
    states = lfdeblur_ops.backends("drb_head")
    found = next(name for name in _ON[device.type] if states.get(name) == "ok")
    return _ON[device.type][found].replace("kernel", "kernels")


def installation(defaults: Sequence[Path]) -> dict[str, Any]:
    """All of it, as JSON takes it.

    Args:
        defaults: the files that options have their defaults from.
    """
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "build": lfdeblur_ops.build_info(),
        "gpus": gpus,
        "threads": torch.get_num_threads(),
        "back_ends": {op: lfdeblur_ops.backends(op) for op in OPS},
        "defaults": [str(file) for file in defaults],
    }


def in_words(facts: dict[str, Any]) -> str:
    """Lines for a person: versions, kernels, a table of what runs each op, and why not another."""
    build = facts["build"]
    reasons: list[str] = []
    rows = [("op", "on the CPU", "on a GPU")]
    for op, states in facts["back_ends"].items():
        rows.append((op, _runs(states, "cpu", reasons), _runs(states, "cuda", reasons)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines = {
        "lfdeblur": build["version"],
        "PyTorch": f"{build['torch_running']}, {facts['threads']} threads",
        "CPU kernels": _cpu(build),
        "CUDA kernels": _cuda(build),
        "GPU": ", ".join(facts["gpus"]) or "PyTorch finds none",
        "library": build["library"] or "none",
        "defaults": ", ".join(facts["defaults"]) or "built in (no lfdeblur.toml)",
    }
    notes = [f"({number}) {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join(
        [*(f"{name:<14}{text}" for name, text in lines.items()), "", *table, *([""] if notes else []), *notes]
    )


def _cpu(build: dict[str, Any]) -> str:
    if build["extension"] is not True:
        return f"none: {build['extension']}"
    same = build["torch_built"] == build["torch_running"]
    return f"for {build['cpu_capability']}" + ("" if same else f", built with PyTorch {build['torch_built']}")


def _cuda(build: dict[str, Any]) -> str:
    if not build["cuda"]:
        return "not built in"
    return f"CUDA {build['cuda_version']}, for the architectures {build['cuda_architectures']}"


def _runs(states: dict[str, str], device: str, reasons: list[str]) -> str:
    """The fastest back end there; where it is not the one it could be, with the number of the reason."""
    names = [name for name in _ON[device] if name in states]
    first = names[0]
    if states[first] == "ok":
        return _ON[device][first]
    if states[first] not in reasons:
        reasons.append(states[first])
    number = reasons.index(states[first]) + 1
    if device == "cuda" and not torch.cuda.is_available():
        return f"not here ({number})"
    found = next(name for name in names if states[name] == "ok")
    return f"{_ON[device][found]} ({number})"
