"""Plots of a result as PNG: roofline, rivals, scaling.

They are narrow, with text that can be read on a telephone, and on white, which does on dark pages too.
"""

import math
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from ._tables import fastest, has_rival, is_headline, number

OURS = "ours"
XLABEL = {"size": "side of a square picture, pixels", "planes": "focal planes", "threads": "threads"}
GROUPS = {  # of pictures of the rivals; the last takes all other ops
    "filters": ("dynamic_filter", "dynamic_filter_separable", "refocus"),
    "convolutions": ("conv3x3", "conv_transpose4x4", "residual_block", "drb_head"),
    "network": (),
}
WIDTH, DPI = 5.2, 190  # inches; 360 pixels of a telephone show 9 points as 9 pixels
BLUE, RED, GREY = "#0072b2", "#d55e00", "#666666"
# Those that Okabe and Ito chose to be told apart by everybody, then darker ones.
COLOURS = {
    "dynamic_filter": "#0072b2",
    "dynamic_filter_separable": "#56b4e9",
    "refocus": "#e69f00",
    "conv3x3": "#009e73",
    "conv_transpose4x4": "#d55e00",
    "residual_block": "#cc79a7",
    "drb_head": "#000000",
    "drbnet": "#7b3294",
    "training_step": "#8c510a",
    "render_pair": "#b2abd2",
    "LightFieldPairs": "#01665e",
    "generate": "#b8860b",
}
MARKERS = {"float32": "o", "bfloat16": "s", "float16": "D", "uint8": "v"}
RIVALS = ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c510a", "#7b3294")
STYLE = {"font.size": 9, "axes.titlesize": 10, "legend.fontsize": 8.5, "savefig.facecolor": "white"}


def plot(result: dict[str, Any], out: Path, stem: str) -> list[str]:
    """Write the plots of a result to ``out``; returns the file names."""
    rows = [row for row in result["rows"] if OURS in row]
    single = [row for row in rows if is_headline(row)]
    rivalled = [row for row in single if has_rival(row)]
    names = []
    with plt.rc_context(STYLE):
        if single:
            names.append(_save(_roofline(single, result["machine"]), out, f"{stem}_roofline.png"))
        if rivalled:
            names.append(_save(_overview(rivalled, result["machine"]), out, f"{stem}_rivals.png"))
        for group in GROUPS:
            mine = [row for row in rivalled if _group(row["op"]) == group]
            if mine:
                names.append(_save(_rivals(mine, result["machine"]), out, f"{stem}_rivals_{group}.png"))
        scaled = [row for row in rows if row["series"]]
        rivals = dict.fromkeys(name for row in scaled for name, rival in row["rivals"].items() if "ms" in rival)
        colours = {OURS: BLUE} | dict(zip(rivals, RIVALS * len(rivals), strict=False))
        for kind in XLABEL:
            series = [row for row in rows if row["series"] and row["series"][0] == kind]
            if series:
                names.append(_save(_scaling(kind, series, result["machine"], colours), out, f"{stem}_{kind}.png"))
    return names


def _roofline(rows: list[dict[str, Any]], machine: dict[str, Any]) -> plt.Figure:
    above = [row for row in rows if row["percent_of_floor"] > 100]
    bounds = [bound for bound in ("bandwidth", "arithmetic") if any(row["bound"] == bound for row in above)]
    letters = dict(zip(bounds, "ab", strict=False))
    notes = [textwrap.fill(_why_above(letters[bound], above, bound), 66, subsequent_indent="    ") for bound in letters]
    handles = _roofline_legend(rows)
    legend_height, notes_height = 0.19 * -(-len(handles) // 2) + 0.15, sum(0.16 * (1 + n.count("\n")) for n in notes)
    heights = [4.1, legend_height, *([notes_height + 0.25] if notes else [])]
    figure, (axis, *below) = plt.subplots(
        len(heights), figsize=(WIDTH, sum(heights)), height_ratios=heights, layout="constrained"
    )
    unit, name = (1e3, "TFLOP/s") if machine["device"] == "cuda" else (1.0, "GFLOP/s")
    for row in rows:
        axis.plot(row["operations"] / row["bytes"], row["gflop_s"] / unit, **_marker(row))
    for row in above:
        place = (row["operations"] / row["bytes"], row["gflop_s"] / unit)
        style = {"textcoords": "offset points", "fontweight": "bold", "color": RED, "va": "center"}
        axis.annotate(letters[row["bound"]], place, (-12, 0), **style)
    axis.set(xscale="log", yscale="log", xlabel="operations per byte moved", ylabel=name)
    axis.set_title(f"Roofline, {machine['name']}", fontweight="bold")
    _roofs(axis, rows, machine, unit, name)
    _plain(axis.xaxis, (1.0,))
    _plain(axis.yaxis, (1.0,) if machine["device"] == "cuda" else (1.0, 3.0))
    axis.grid(alpha=0.3)
    for other in below:
        other.axis("off")
    below[0].legend(handles=handles, ncols=2, loc="center", frameon=False, handlelength=1.2)
    if notes:
        below[1].text(
            0, 1, "Above the roof:\n" + "\n".join(notes), va="top", fontsize=8.5, transform=below[1].transAxes
        )
    return figure


def _roofs(axis: Any, rows: list[dict[str, Any]], machine: dict[str, Any], unit: float, name: str) -> None:
    """What memory and arithmetic allow, each line with its name."""
    bandwidth = max(machine["read_gb_s"], machine["copy_gb_s"])
    intensities = [row["operations"] / row["bytes"] for row in rows]
    left, right = min([*intensities, 0.5]) / 2, max([*intensities, 100]) * 2
    used = {row["arithmetic"] for row in rows}
    peaks = {dtype: peak for dtype, peak in machine["peak_gflop_s"].items() if dtype in used}
    highest = max(peaks.values(), default=bandwidth)
    axis.plot([left, highest / bandwidth], [left * bandwidth / unit, highest / unit], color=GREY, zorder=1)
    middle = left**0.35 * (highest / bandwidth) ** 0.65
    axis.text(
        middle,
        1.15 * middle * bandwidth / unit,
        f"main memory: {number(bandwidth)} GB/s",
        color=GREY,
        fontsize=8.5,
        ha="center",
        va="bottom",
        rotation=math.degrees(math.atan(bandwidth / unit)),
        rotation_mode="anchor",
        transform_rotates_text=True,
    )
    for dtype, peak in peaks.items():
        axis.plot([peak / bandwidth, right], [peak / unit] * 2, color=GREY, zorder=1)
        label, at = f"{dtype}\n{number(peak / unit)}\n{name}", axis.get_yaxis_transform()
        axis.text(1.01, peak / unit, label, color=GREY, fontsize=8.5, va="center", transform=at)


def _roofline_legend(rows: list[dict[str, Any]]) -> list[Line2D]:
    ops = [op for op in COLOURS if any(row["op"] == op for row in rows)]
    ops += [op for op in dict.fromkeys(row["op"] for row in rows) if op not in COLOURS]
    entries = [Line2D([], [], color=COLOURS.get(op, GREY), lw=5, label=op) for op in ops]
    dtypes = dict.fromkeys(row["dtype"] for row in rows)
    entries += [Line2D([], [], ls="", color=GREY, marker=MARKERS.get(dtype, "P"), label=dtype) for dtype in dtypes]
    if any(row["mode"] != "forward" for row in rows):
        entries.append(Line2D([], [], ls="", color=GREY, marker="o", mfc="white", label="hollow: with backward"))
    return entries


def _marker(row: dict[str, Any]) -> dict[str, Any]:
    """The op's colour, the dtype's shape, hollow where a backward pass is timed too."""
    colour = COLOURS.get(row["op"], GREY)
    filled = row["mode"] == "forward"
    return {
        "marker": MARKERS.get(row["dtype"], "P"),
        "color": colour,
        "mfc": colour if filled else "white",
        "ms": 6,
        "ls": "",
    }


def _why_above(letter: str, above: list[dict[str, Any]], bound: str) -> str:
    """Only these two are known; the harness clears a GPU's cache between calls, a CPU's it leaves."""
    rows = [row for row in above if row["bound"] == bound]
    cases = "; ".join(f"{row['op']} {row['shape']}, {row['dtype']} ({row['percent_of_floor']:.0f} %)" for row in rows)
    if bound == "bandwidth":
        size = number(max(row["bytes"] for row in rows) / 1e6)
        return (
            f"{letter}  {cases}: its data, {size} MB, stays in the cache from call to call; the roof is main memory's."
        )
    return (
        f"{letter}  {cases}: Winograd's convolutions do a quarter of the multiplications; those of the direct form are "
        "counted."
    )


def _overview(rows: list[dict[str, Any]], machine: dict[str, Any]) -> plt.Figure:
    """A line for each op, a point for each case: how many times as long the fastest rival takes."""
    ops = sorted(dict.fromkeys(row["op"] for row in rows), key=lambda op: list(GROUPS).index(_group(op)))
    figure, axis = plt.subplots(figsize=(WIDTH, 1.3 + 0.3 * len(ops)), layout="constrained")
    for row in rows:
        ratio = fastest(row)[1]["ratio"]
        style = _marker(row) | {"color": _colour(ratio)}
        if row["mode"] == "forward":
            style["mfc"] = style["color"]
        axis.plot(ratio, ops.index(row["op"]), alpha=0.75, **style)
    axis.set_yticks(range(len(ops)), ops)
    axis.set_ylim(len(ops) - 0.4, -0.6)
    axis.axvspan(0, 1, color=RED, alpha=0.12, lw=0)
    axis.axvline(1, color="black", lw=1)
    axis.set_title(f"Fastest rival beside ours, {machine['name']}", fontweight="bold", loc="right")
    _ratios(axis, [fastest(row)[1]["ratio"] for row in rows])
    handles = [line for line in _roofline_legend(rows) if line.get_linestyle() == "None"]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, handletextpad=0.2)
    return figure


def _rivals(rows: list[dict[str, Any]], machine: dict[str, Any]) -> plt.Figure:
    """Three lines for each case: its name, a bar to the fastest rival and points of the others, the rival's name."""
    lines: list[tuple[float, str | dict[str, Any]]] = []
    at = 0.0
    for op in dict.fromkeys(row["op"] for row in rows):
        lines.append((at, op))
        at += 1.2
        mine = [row for row in rows if row["op"] == op]
        for row in sorted(mine, key=lambda row: -fastest(row)[1]["ratio"]):
            lines.append((at, row))
            at += 2.6
        at += 0.4
    figure, axis = plt.subplots(figsize=(WIDTH, 0.9 + 0.18 * at), layout="constrained")
    ratios = [rival["ratio"] for row in rows for rival in row["rivals"].values() if "ratio" in rival]
    _ratios(axis, ratios)
    for y, line in lines:
        if isinstance(line, str):
            _left(axis, y, line, fontweight="bold", fontsize=10)
        else:
            _case(axis, y, line)
    axis.set_xlabel(axis.get_xlabel() + "\nbar: the fastest rival, which is named; points: the others")
    axis.set_yticks([])
    axis.set_ylim(at - 0.2, -0.7)
    axis.set_title(f"Rivals, {machine['name']}", fontweight="bold")
    return figure


def _case(axis: Any, y: float, row: dict[str, Any]) -> None:
    name, best = fastest(row)
    colour = _colour(best["ratio"])
    _left(axis, y, f"{row['shape']}, {_kind(row)}: {number(row[OURS]['ms'])} ms")
    axis.barh(y + 0.8, 1, height=0.75, color=RED, alpha=0.12)  # the logarithmic axis cuts it off
    axis.plot([1, 1], [y + 0.42, y + 1.18], color="black", lw=1)
    axis.barh(y + 0.8, best["ratio"] - 1, left=1, height=0.55, color=colour)
    others = [rival["ratio"] for rival in row["rivals"].values() if "ratio" in rival and rival is not best]
    axis.plot(others, [y + 0.8] * len(others), "o", color=GREY, ms=4)
    _left(axis, y + 1.55, f"×{number(best['ratio'])}  {name}", color=colour, fontsize=8.5)


def _colour(ratio: float) -> str:
    """Alike within a hundredth: nobody is faster."""
    return GREY if abs(ratio - 1) < 0.01 else BLUE if ratio > 1 else RED


def _left(axis: Any, y: float, text: str, **style: Any) -> None:
    axis.text(0.01, y, text, transform=axis.get_yaxis_transform(), va="center", **style)


def _ratios(axis: Any, ratios: list[float]) -> None:
    """A logarithmic axis of times of rivals over ours, the part where rivals are faster shaded."""
    low, high = min([*ratios, 0.8]) / 1.2, max([*ratios, 1.5]) * 1.3
    axis.set(xscale="log", xlim=(low, high), xlabel="time of the rival / ours (shaded: the rival is faster)")
    _plain(axis.xaxis)
    axis.set_axisbelow(True)
    axis.grid(axis="x", alpha=0.3)


def _scaling(kind: str, rows: list[dict[str, Any]], machine: dict[str, Any], colours: dict[str, str]) -> plt.Figure:
    ops = list(dict.fromkeys(row["op"] for row in rows))
    figure, axes = plt.subplots(len(ops), figsize=(WIDTH, 4 * len(ops)), layout="constrained", squeeze=False)
    for axis, op in zip(axes[:, 0], ops, strict=True):
        mine = sorted((row for row in rows if row["op"] == op), key=lambda row: row["series"][1])
        lines: dict[str, list[tuple[int, float]]] = {}
        for row in mine:
            sides = {OURS: row[OURS]} | {name: rival for name, rival in row["rivals"].items() if "ms" in rival}
            for name, side in sides.items():
                lines.setdefault(name, []).append((row["series"][1], side["ms"]))
        for name, points in lines.items():
            axis.plot(*zip(*points, strict=True), "o-", color=colours[name], label=name)
        ticks = [row["series"][1] for row in mine]
        floors = [row["floor_ms"] for row in mine]
        axis.plot(ticks, floors, "--", color=GREY, label=_floor_label(kind, mine, machine))
        axis.set(xscale="log", yscale="log", xlabel=XLABEL[kind], ylabel="ms")
        axis.set_title(f"{op} {mine[0]['dtype']}, {machine['name']}", fontweight="bold")
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.xaxis.set_minor_locator(NullLocator())
        _plain(axis.yaxis)
        axis.grid(alpha=0.3)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False)
    return figure


def _floor_label(kind: str, rows: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    """What the line of reference is; arithmetic bounds some rows of one op, and memory the others."""
    limits = {"bandwidth": "main memory", "arithmetic": "arithmetic"}
    label = "floor of " + " and ".join(limits[bound] for bound in limits if any(r["bound"] == bound for r in rows))
    label += f", {machine['threads']} threads" * (kind == "threads")
    beaten = any(row[OURS]["ms"] < row["floor_ms"] and row["bound"] == "bandwidth" for row in rows)
    return label + ";\nbelow it: data in the cache" * beaten


def _group(op: str) -> str:
    return next((group for group, ops in GROUPS.items() if op in ops), list(GROUPS)[-1])


def _kind(row: dict[str, Any]) -> str:
    return row["dtype"] + ", with backward" * (row["mode"] == "forward+backward")


def _plain(axis: Any, steps: Iterable[float] = (1.0, 2.0, 5.0)) -> None:
    """Numbers without powers at some steps of each decade of a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=tuple(steps)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace(",", " ")))
    axis.set_minor_formatter(NullFormatter())


def _save(figure: plt.Figure, out: Path, name: str) -> str:
    figure.savefig(out / name, dpi=DPI, metadata={"Software": None})
    plt.close(figure)
    return name
