"""Results as text and Markdown."""

import re
from typing import Any

OURS = "ours"
MEBI = 1 << 20
KEY = ("op", "mode", "shape", "dtype", "device", "threads", "series")
# README's rows: device of the results, op, shape, dtype.
README_ROWS = (
    ("cpu", "refocus", "9x9x3x434x625 D=8 bilinear", "float32"),
    ("cpu", "dynamic_filter", "3x720x1280 k=7", "float32"),
    ("cpu", "drbnet", "single 3x256x256 optimize", "float32"),
    ("cuda", "refocus", "9x9x3x434x625 D=8 bilinear", "float32"),
    ("cuda", "drbnet", "single 3x720x1280 optimize", "bfloat16"),
)


def key_of(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row.get(name)) for name in KEY)


def is_headline(row: dict[str, Any]) -> bool:
    """Does a row stand for itself, and not for a point of a scaling plot alone?"""
    return bool(row.get("headline", not row["series"]))


def fastest(row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and numbers of the rival that took the least time, of a row that has one."""
    timed = {name: rival for name, rival in row["rivals"].items() if "ms" in rival}
    return min(timed.items(), key=lambda item: float(item[1]["ms"]))


def has_rival(row: dict[str, Any]) -> bool:
    """Did any rival run?"""
    return any("ms" in rival for rival in row["rivals"].values())


def case_of(row: dict[str, Any]) -> str:
    """Shape and options of a row, and what else tells it from the op's others."""
    backward = ", with backward" * (row["mode"] == "forward+backward")
    threads = f", {row['threads']} thread{'s' * (row['threads'] != 1)}"
    return row["shape"] + backward + threads * bool(row["series"] and row["series"][0] == "threads")


def rows_table(rows: list[dict[str, Any]]) -> str:
    """Cases of one op beside the floor and all rivals, in few columns: telephones have no room for more."""
    lines = [
        "| case | ours, ms | floor, ms (reached) | rivals, ms (times ours) |",
        "| --- | ---: | ---: | --- |",
    ]
    for row in rows:
        rivals = [
            f"{name}: fails ({_cell(rival['error'])})"
            if "error" in rival
            else f"{name}: {number(rival['ms'])} (×{number(rival['ratio'])})"
            for name, rival in row["rivals"].items()
        ]
        cells = (
            f"{case_of(row)}, {row['dtype']}",
            f"**{number(row[OURS]['ms'])}**",
            f"{number(row['floor_ms'])} ({row['percent_of_floor']:.0f}\u00a0%)",
            "<br>".join(rivals),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def machine_line(machine: dict[str, Any]) -> str:
    """One line: device, versions, date, commit, measured limits."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    peaks = ", ".join(f"{dtype} {number(rate)}" for dtype, rate in machine["peak_gflop_s"].items())
    isa = machine["build_info"].get("cpu_capability")
    return (
        f"{machine['name']}"
        + (
            f" ({isa}), {machine['threads']} thread{'s' * (machine['threads'] != 1)}"
            if machine["device"] == "cpu"
            else f", CUDA {machine['cuda']}"
        )
        + f"; {versions}; {machine['date'][:10]}, commit {machine['commit']}; measured read "
        f"{number(machine['read_gb_s'])} GB/s, copy {number(machine['copy_gb_s'])} GB/s, peak GFLOP/s: {peaks}"
    )


def text_row(row: dict[str, Any]) -> str:
    """A row for the terminal."""
    if "skipped" in row:
        return f"  skipped: {row['skipped']}"
    lines = [
        f"  {OURS:34} {number(row[OURS]['ms']):>9} ms  {number(row['gb_s'])} GB/s, {row['percent_of_floor']:.0f} % "
        f"of the {row['bound']} floor, peak {mebi(row[OURS])} MiB"
    ]
    for name, rival in row["rivals"].items():
        if "error" in rival:
            lines.append(f"  {name:34}     fails  {rival['error']}")
        else:
            lines.append(f"  {name:34} {number(rival['ms']):>9} ms  x{number(rival['ratio'])}, peak {mebi(rival)} MiB")
    if "stages" in row:
        lines.append(f"  {OURS}, by stage: {stages(row)}")
    return "\n".join(lines)


def markdown(rows: list[dict[str, Any]]) -> str:
    """What rows move, compute and hold; peak memory of ours / of each rival that ran."""
    lines = [
        "| op | case | dtype | ours, ms | MB | GB/s | Gop | % of floor | peak MiB |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        key = (row["op"], case_of(row), row["dtype"])
        if "skipped" in row:
            lines.append(f"| {' | '.join(key)} | skipped: {_cell(row['skipped'])} | | | | | |")
            continue
        peaks = ", ".join(mebi(rival) for rival in row["rivals"].values() if "ms" in rival)
        cells = (
            *key,
            f"**{number(row[OURS]['ms'])}**",
            number(row["bytes"] / 1e6),
            number(row["gb_s"]),
            number(row["operations"] / 1e9),
            f"{row['percent_of_floor']:.0f} ({row['bound']})",
            " / ".join([mebi(row[OURS]), peaks]),
        )
        lines.append("| " + " | ".join(cells) + " |")
    lines += [f"\n{row['op']}, {row['shape']}, by stage: {stages(row)}." for row in rows if "stages" in row]
    return "\n".join(lines) + "\n"


def compare(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Time of ours in two results, row by row."""
    lines = [f"A: {machine_line(before['machine'])}", f"B: {machine_line(after['machine'])}"]
    old = {key_of(row): row for row in before["rows"] if OURS in row}
    new = {key_of(row): row for row in after["rows"] if OURS in row}
    for key, row in new.items():
        name = " ".join(key[:5]) + (f" threads={key[5]}" if "threads" in key[6] else "")
        if key not in old:
            lines.append(f"{'only in B':>28}  {name}")
            continue
        a, b = old[key][OURS]["ms"], row[OURS]["ms"]
        mark = "slower" if b > 1.1 * a else "faster" if b < a / 1.1 else ""
        lines.append(f"{number(a):>8} -> {number(b):>8} ms  {b / a:4.2f}  {name} {mark}".rstrip())
    lines += [f"{'only in A':>28}  {' '.join(key[:5])}" for key in old if key not in new]
    return "\n".join(lines)


def update_readme(text: str, results: list[dict[str, Any]]) -> str:
    """README's text with ``README_ROWS`` of the newest results between its marks. Raises ValueError without them."""
    newest = {result["machine"]["device"]: result for result in sorted(results, key=lambda r: r["machine"]["date"])}
    lines = ["| what | where | ours, ms | fastest rival, ms | times |", "| --- | --- | ---: | --- | ---: |"]
    for device, *key in README_ROWS:
        rows = [
            row
            for row in (newest[device]["rows"] if device in newest else ())
            if [row["op"], row["shape"], row["dtype"]] == key and row["mode"] == "forward" and is_headline(row)
        ]
        lines += [_readme_row(newest[device]["machine"], row) for row in rows if OURS in row]
    machines = [
        f"{m['name']}: torch {m['versions']['torch']}; {m['date'][:10]}, commit {m['commit']}.\n"
        for m in (result["machine"] for result in newest.values())
    ]
    return between(text, "benchmark", "\n".join([*machines, *lines, ""]))


def between(text: str, mark: str, body: str) -> str:
    pattern = re.compile(f"(<!-- {mark} -->).*?(<!-- /{mark} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no <!-- {mark} --> ... <!-- /{mark} -->")
    return pattern.sub(lambda match: f"{match[1]}\n{body}{match[2]}", text)


def _readme_row(machine: dict[str, Any], row: dict[str, Any]) -> str:
    name, rival = fastest(row)
    cells = (
        f"`{row['op']}` {row['shape']}, {row['dtype']}",
        "CPU" if machine["device"] == "cpu" else machine["name"],
        f"**{number(row[OURS]['ms'])}**",
        f"{name}: {number(rival['ms'])}",
        number(rival["ratio"]),
    )
    return "| " + " | ".join(cells) + " |"


def stages(row: dict[str, Any]) -> str:
    ordered = sorted(row["stages"].items(), key=lambda stage: -stage[1])
    return ", ".join(f"{stage} {100 * share:.0f} %" for stage, share in ordered)


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.001 or value == 0 else f"{value:.1e}"


def mebi(entry: dict[str, Any]) -> str:
    return "?" if entry.get("peak_bytes") is None else f"{entry['peak_bytes'] / MEBI:.0f}"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
