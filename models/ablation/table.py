"""The table of an ablation: means and spread over seeds."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ..evaluation.report import align, write_text
from ..evaluation.scores import Metric
from .plan import ROWS

Scores = dict[str, dict[str, dict[str, float]]]  # by set, by input and output, by metric
INPUT = "the blurry input"


@dataclass(frozen=True)
class Value:
    """A mean over seeds and the sample standard deviation (None: one seed)."""

    mean: float
    spread: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Value":
        return cls(fmean(values), stdev(values) if len(values) > 1 else None)

    def show(self, digits: int, sign: str = "") -> str:
        spread = "" if self.spread is None else f" ± {self.spread:.{digits}f}"
        return f"{self.mean:{sign}.{digits}f}{spread}"


@dataclass(frozen=True)
class Table:
    """All scores: by row and seed.

    Attributes:
        metrics: what was measured.
        scores: for each row's name one entry per seed.
    """

    metrics: tuple[Metric, ...]
    scores: dict[str, list[Scores]]

    @property
    def sets(self) -> list[str]:
        return list(next(iter(self.scores.values()))[0])

    def value(self, row: str, name: str, metric: str) -> Value:
        """A row's score on a set."""
        return Value.of([scores[name]["output"][metric] for scores in self.scores[row]])

    def input(self, name: str, metric: str) -> Value:
        """The blurry input's score on a set."""
        return Value(next(iter(self.scores.values()))[0][name]["input"][metric], None)

    def against(self, row: str, rival: str, name: str, metric: Metric) -> Value:
        """How much better a row is than another, seed by seed; positive is better."""
        pairs = zip(self.scores[rival], self.scores[row], strict=True)
        return Value.of([metric.gain(a[name]["output"][metric.name], b[name]["output"][metric.name]) for a, b in pairs])

    def cells(self) -> list[list[str]]:
        """Of the table for people, heads first."""
        head = ["variant", "varied"]
        for name in self.sets:
            head += [f"{name}: {m.title} {'↑' if m.higher else '↓'}" for m in self.metrics]
            head.append(f"{name}: PSNR against rival, dB")
        cells = [head]
        first = [INPUT, "-"]
        for name in self.sets:
            first += [self.input(name, m.name).show(_digits(m)) for m in self.metrics] + ["-"]
        cells.append(first)
        psnr = self.metrics[0]
        for row in ROWS:
            line = [row.name, row.group]
            for name in self.sets:
                line += [self.value(row.name, name, m.name).show(_digits(m)) for m in self.metrics]
                line.append("-" if row.rival is None else self.against(row.name, row.rival, name, psnr).show(2, "+"))
            cells.append(line)
        return cells

    def markdown(self) -> str:
        """One table for each set of evaluation."""
        count = len(next(iter(self.scores.values())))
        spread = "mean ± sample standard deviation over" if count > 1 else "of"
        note = f"Each number: {spread} {count} seed{'s' * (count != 1)}. A row's rival is the full network"
        note += " (of random start where the row starts so); differences are taken seed by seed, positive is better.\n"
        parts = [note]
        cells, width = self.cells(), len(self.metrics) + 1
        for index, name in enumerate(self.sets):
            columns = [0, 1, *range(2 + index * width, 2 + (index + 1) * width)]
            rows = [[line[column].removeprefix(f"{name}: ") for column in columns] for line in cells]
            rule = ["---", "---", *["---:"] * width]
            lines = [f"| {' | '.join(line)} |" for line in (rows[0], rule, *rows[1:])]
            parts.append(f"**{name}**\n\n" + "\n".join(lines) + "\n")
        return "\n".join(parts)

    def text(self) -> str:
        """For a terminal."""
        parts, cells, width = [], self.cells(), len(self.metrics) + 1
        for index, name in enumerate(self.sets):
            columns = [0, 1, *range(2 + index * width, 2 + (index + 1) * width)]
            rows = [[line[column].removeprefix(f"{name}: ") for column in columns] for line in cells]
            parts.append(f"{name}\n{align(rows)}")
        return "\n\n".join(parts)

    def as_csv(self) -> str:
        """A line for each row, set and metric: the mean, the spread, and the seeds' values."""
        count = len(next(iter(self.scores.values())))
        file = io.StringIO()
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["variant", "varied", "set", "metric", "mean", "spread", *(f"seed{n}" for n in range(count))])
        for name in self.sets:
            for m in self.metrics:
                table.writerow([INPUT, "-", name, m.name, f"{self.input(name, m.name).mean:.8g}"])
        for row in ROWS:
            for name in self.sets:
                for m in self.metrics:
                    value = self.value(row.name, name, m.name)
                    seeds = [f"{scores[name]['output'][m.name]:.8g}" for scores in self.scores[row.name]]
                    spread = "" if value.spread is None else f"{value.spread:.8g}"
                    table.writerow([row.name, row.group, name, m.name, f"{value.mean:.8g}", spread, *seeds])
        return file.getvalue()

    def as_json(self) -> str:
        """All means and spreads, the differences to rivals, and the seeds' values."""
        psnr = self.metrics[0]
        rows: list[dict[str, Any]] = []
        for row in ROWS:
            sets: dict[str, Any] = {}
            for name in self.sets:
                sets[name] = {m.name: vars(self.value(row.name, name, m.name)) for m in self.metrics}
                if row.rival is not None:
                    sets[name]["psnr_against_rival"] = vars(self.against(row.name, row.rival, name, psnr))
            rows.append({"variant": row.name, "varied": row.group, "rival": row.rival, "sets": sets})
        inputs = {name: {m.name: self.input(name, m.name).mean for m in self.metrics} for name in self.sets}
        values = to_json({"input": inputs, "rows": rows, "seeds": self.scores})
        return json.dumps(values, indent=2, allow_nan=False) + "\n"

    def write(self, out: Path) -> None:
        """``table.md``, ``table.csv`` and ``table.json``, each whole or not at all. Raises OutputError."""
        write_text(out / "table.md", self.markdown())
        write_text(out / "table.csv", self.as_csv())
        write_text(out / "table.json", self.as_json())


def to_json(value: Any) -> Any:
    """Nested values with null for numbers that JSON lacks: the PSNR of equal pictures is infinite."""
    if isinstance(value, dict):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [to_json(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(value: Any) -> Any:
    """Scores as ``to_json`` gave them."""
    if isinstance(value, dict):
        return {key: from_json(inner) for key, inner in value.items()}
    return math.inf if value is None else value


def _digits(metric: Metric) -> int:
    return 2 if metric.name == "psnr" else 4
