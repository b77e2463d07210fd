"""Plots of a result as PNG: roofline, bars against rivals, scaling."""

import itertools
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ._tables import is_headline

OURS = "ours"
XLABEL = {"size": "side of a square picture, pixels", "planes": "focal planes", "threads": "threads"}


def plot(result: dict[str, Any], out: Path, stem: str) -> list[str]:
    """Write the plots of a result to ``out``; returns the file names."""
    rows = [row for row in result["rows"] if OURS in row]
    single = [row for row in rows if is_headline(row)]
    names = []
    if single:
        names += [_save(_roofline(single, result["machine"]), out, f"{stem}_roofline.png")]
        names += [_save(_bars(single, result["machine"]), out, f"{stem}_rivals.png")]
    for kind in XLABEL:
        series = [row for row in rows if row["series"] and row["series"][0] == kind]
        if series:
            names.append(_save(_scaling(kind, series), out, f"{stem}_{kind}.png"))
    return names


def _roofline(rows: list[dict[str, Any]], machine: dict[str, Any]) -> plt.Figure:
    figure, axis = plt.subplots(figsize=(11, 6), layout="constrained")
    bandwidth = max(machine["read_gb_s"], machine["copy_gb_s"])
    intensities = [row["operations"] / row["bytes"] for row in rows]
    span = [min([*intensities, 0.5]) / 2, max([*intensities, 100]) * 2]
    used = {row["arithmetic"] for row in rows}
    for (dtype, peak), style in zip(machine["peak_gflop_s"].items(), ("-", "--"), strict=False):
        if dtype in used:
            knee = peak / bandwidth
            xs = [span[0], *([knee] if span[0] < knee < span[1] else []), span[1]]
            label = f"{bandwidth:.3g} GB/s, {peak:.3g} GFLOP/s ({dtype})"
            axis.plot(xs, [min(x * bandwidth, peak) for x in xs], style, color="0.4", label=label)
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        kinds.setdefault((row["op"], _kind(row)), []).append(row)
    colors = dict(zip(dict.fromkeys(op for op, _ in kinds), itertools.cycle(plt.get_cmap("tab20")(range(0, 20, 2)))))
    markers = dict(zip(dict.fromkeys(kind for _, kind in kinds), itertools.cycle("os^vD*PX")))
    for (op, kind), mine in kinds.items():
        points = [row["operations"] / row["bytes"] for row in mine], [row["gflop_s"] for row in mine]
        axis.plot(*points, markers[kind], color=colors[op], label=f"{op}, {kind}")
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="operations per byte moved",
        ylabel="GFLOP/s",
        title=f"Roofline, {machine['name']}",
    )
    _plain(axis.xaxis, (1.0,))
    _plain(axis.yaxis)
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right center", fontsize=8)
    return figure


def _bars(rows: list[dict[str, Any]], machine: dict[str, Any]) -> plt.Figure:
    bars: list[tuple[str, float | None]] = []
    for row in rows:
        bars.append((f"{row['op']} {row['shape']}, {_kind(row)}: {row[OURS]['ms']:.3g} ms", None))
        bars += [(name, rival["ratio"]) for name, rival in row["rivals"].items() if "ratio" in rival]
    figure, axis = plt.subplots(figsize=(12, 1.2 + 0.22 * len(bars)), layout="constrained")
    for y, (_, ratio) in enumerate(bars):
        if ratio is not None:
            axis.barh(y, ratio - 1, left=1, color="tab:blue" if ratio >= 1 else "tab:red")
            axis.annotate(f" {ratio:.3g}", (max(ratio, 1), y), va="center", fontsize=7)
    axis.axvline(1, color="black", lw=1)
    axis.set_yticks(range(len(bars)), [label for label, _ in bars], fontsize=7)
    for tick, (_, ratio) in zip(axis.get_yticklabels(), bars, strict=True):
        tick.set_fontweight("bold" if ratio is None else "normal")
    axis.set(xscale="log", xlabel="time of the rival / ours (left of 1: the rival is faster)", title=machine["name"])
    axis.set_ylim(len(bars) - 0.4, -0.6)
    _plain(axis.xaxis)
    axis.set_axisbelow(True)
    axis.grid(axis="x", alpha=0.3)
    return figure


def _scaling(kind: str, rows: list[dict[str, Any]]) -> plt.Figure:
    ops = list(dict.fromkeys(row["op"] for row in rows))
    figure, axes = plt.subplots(1, len(ops), figsize=(6 * len(ops), 4.5), layout="constrained", squeeze=False)
    for axis, op in zip(axes[0], ops, strict=True):
        mine = sorted((row for row in rows if row["op"] == op), key=lambda row: row["series"][1])
        lines: dict[str, list[tuple[int, float]]] = {}
        for row in mine:
            sides = {OURS: row[OURS]} | {name: rival for name, rival in row["rivals"].items() if "ms" in rival}
            for name, side in sides.items():
                lines.setdefault(name, []).append((row["series"][1], side["ms"]))
        lines["floor"] = [(row["series"][1], row["floor_ms"]) for row in mine]
        for name, points in lines.items():
            axis.plot(
                *zip(*points, strict=True),
                "--" if name == "floor" else "o-",
                color="0.5" if name == "floor" else None,
                label=name,
            )
        ticks = [row["series"][1] for row in mine]
        axis.set(xscale="log", yscale="log", xlabel=XLABEL[kind], ylabel="ms", title=f"{op} {mine[0]['dtype']}")
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.xaxis.set_minor_formatter(NullFormatter())
        _plain(axis.yaxis)
        axis.grid(alpha=0.3)
        axis.legend()
    return figure


def _kind(row: dict[str, Any]) -> str:
    return row["dtype"] if row["mode"] == "forward" else f"{row['mode']}, {row['dtype']}"


def _plain(axis: Any, steps: tuple[float, ...] = (1.0, 2.0, 5.0)) -> None:
    """Numbers without powers at some steps of each decade of a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _save(figure: plt.Figure, out: Path, name: str) -> str:
    figure.savefig(out / name, dpi=120)
    plt.close(figure)
    return name
