"""An evaluation as CSV, JSON and text."""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..io.atomic import atomic_path
from .evaluate import Evaluation
from .scores import PROTOCOLS, Metric, Protocol

FEW = 12  # pictures that a table for people shows one by one


def entries(evaluation: Evaluation, protocol: str) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Picture, row (``input``, ``output`` or ``gain``) and scores, picture by picture and at the end the ``mean``."""
    sets = [(row.picture, row.input, row.output) for row in evaluation.rows[protocol]]
    if sets:
        sets.append(("mean", evaluation.mean(protocol, "input"), evaluation.mean(protocol, "output")))
    for name, before, after in sets:
        yield name, "input", before
        yield name, "output", after
        yield name, "gain", evaluation.gain(before, after)


def write_csv(path: Path, evaluation: Evaluation) -> None:
    """One line for each protocol, picture and row. Raises OutputError."""
    names = [metric.name for metric in evaluation.metrics]
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["protocol", "picture", "row", *names])
        for protocol in evaluation.rows:
            for picture, row, scores in entries(evaluation, protocol):
                table.writerow([protocol, picture, row, *(f"{scores[name]:.8g}" for name in names)])


def write_json(path: Path, evaluation: Evaluation, facts: dict[str, Any]) -> None:
    """The facts and all scores, nested by protocol; numbers that JSON lacks (equal pictures' PSNR) are null.

    Raises: OutputError.
    """
    protocols = {}
    for protocol in (known for known in PROTOCOLS if known.name in evaluation.rows):
        pictures: list[dict[str, Any]] = []
        for picture, row, scores in entries(evaluation, protocol.name):
            finite = {name: value if math.isfinite(value) else None for name, value in scores.items()}
            if row == "input":
                pictures.append({"picture": picture})
            pictures[-1][row] = finite
        mean = pictures.pop() if pictures else {}
        mean.pop("picture", None)
        protocols[protocol.name] = {"definition": protocol.definition, "mean": mean, "pictures": pictures}
    metrics = {m.name: {"title": m.title, "better": "higher" if m.higher else "lower"} for m in evaluation.metrics}
    values = facts | {"metrics": metrics, "protocols": protocols, "failed": evaluation.failed}
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Whole or not at all. Raises OutputError."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def as_text(evaluation: Evaluation, protocol: Protocol) -> str:
    """A table for people; many pictures are told by their mean alone."""
    rows = evaluation.rows[protocol.name]
    shown = [entry for entry in entries(evaluation, protocol.name) if len(rows) <= FEW or entry[0] == "mean"]
    cells = [["", "", *(_head(metric) for metric in evaluation.metrics)]]
    for picture, row, scores in shown:
        values = [_number(metric, scores[metric.name], row == "gain") for metric in evaluation.metrics]
        cells.append([picture if row == "input" else "", row, *values])
    count = f"{len(rows)} picture{'s' * (len(rows) != 1)}"
    return f"{protocol.name} ({count}): {protocol.definition}\n" + align(cells)


def align(cells: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first two to the left and numbers to the right."""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = []
    for row in cells:
        parts = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def _head(metric: Metric) -> str:
    return f"{metric.title} {'↑' if metric.higher else '↓'}"


def _number(metric: Metric, value: float, signed: bool) -> str:
    digits = 2 if metric.name == "psnr" else 4
    return f"{value:{'+' if signed else ''}.{digits}f}"
