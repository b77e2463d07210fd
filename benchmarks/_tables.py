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
        f"of the {row['bound']} floor, peak {_mebi(row[OURS])} MiB"
    ]
    for name, rival in row["rivals"].items():
        if "error" in rival:
            lines.append(f"  {name:34}     fails  {rival['error']}")
        else:
            lines.append(f"  {name:34} {number(rival['ms']):>9} ms  x{number(rival['ratio'])}, peak {_mebi(rival)} MiB")
    if "stages" in row:
        lines.append(f"  {OURS}, by stage: {_stages(row)}")
    return "\n".join(lines)


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table of a result: a rival's time and how many times ours that is; peak memory of ours / of each rival."""
    lines = [
        "| op | shape | dtype | ours, ms | rivals, ms (times ours) | MB | GB/s | Gop | % of floor | peak MiB |",
        "| --- | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        op = row["op"] if row["mode"] == "forward" else f"{row['op']}, {row['mode']}"
        if "skipped" in row:
            lines.append(f"| {op} | {row['shape']} | {row['dtype']} | skipped | {row['skipped']} | | | | | |")
            continue
        rivals, peaks = [], []
        for name, rival in row["rivals"].items():
            if "error" in rival:
                rivals.append(f"{name}: fails ({_cell(rival['error'])})")
            else:
                rivals.append(f"{name}: {number(rival['ms'])} (x{number(rival['ratio'])})")
                peaks.append(_mebi(rival))
        cells = (
            op,
            row["shape"],
            row["dtype"],
            f"**{number(row[OURS]['ms'])}**",
            "<br>".join(rivals),
            number(row["bytes"] / 1e6),
            number(row["gb_s"]),
            number(row["operations"] / 1e9),
            f"{row['percent_of_floor']:.0f} ({row['bound']})",
            " / ".join([_mebi(row[OURS]), ", ".join(peaks)]),
        )
        lines.append("| " + " | ".join(cells) + " |")
    lines += [f"\n{row['op']}, {row['shape']}, by stage: {_stages(row)}." for row in rows if "stages" in row]
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


def report(result: dict[str, Any], name: str, pictures: list[str]) -> str:
    """One result as a section: machine, table, plots."""
    parts = [
        f"## {name}\n",
        machine_line(result["machine"]) + "\n",
        "Medians, the sides taken in turn; ratios are medians of paired ratios, below 1 the rival is faster. The floor "
        "is the larger of bytes over bandwidth and operations over peak, both measured in this run; data that stays in "
        "a cache can beat it, and so can Winograd's convolutions, of which the direct form's operations are counted. "
        "Peak memory is beyond the inputs.\n",
        markdown(result["rows"]),
        *(f"Skipped {module}: {reason}\n" for module, reason in result.get("skipped", {}).items()),
        *(f"![{picture}]({picture})\n" for picture in pictures),
    ]
    return "\n".join(parts)


def floors(result: dict[str, Any], name: str) -> str:
    """The least times of the CUDA cases on one GPU as a section; nothing in it was timed."""
    gpu = result["floors"]
    peaks = ", ".join(f"{dtype} {number(rate / 1e3)}" for dtype, rate in gpu["peak_gflop_s"].items())
    lines = [
        f"## {name}\n",
        f"Floors on {gpu['name']} by arithmetic, at {number(gpu['read_gb_s'])} GB/s and peak TFLOP/s of {peaks}. "
        "Nothing here was run on a GPU.\n",
        "| op | shape | dtype | MB | Gop | floor, us | bound |",
        "| --- | --- | --- | ---: | ---: | ---: | --- |",
    ]
    for row in result["rows"]:
        op = row["op"] if row["mode"] == "forward" else f"{row['op']}, {row['mode']}"
        moved, computed = number(row["bytes"] / 1e6), number(row["operations"] / 1e9)
        floor = number(row["floor_ms"] * 1e3)
        lines.append(f"| {op} | {row['shape']} | {row['dtype']} | {moved} | {computed} | {floor} | {row['bound']} |")
    return "\n".join(lines) + "\n"


KERNEL_COLUMNS = (
    "| case | sm | kernel | registers | shared, KiB | 16-byte loads, stores | {}warps | occupancy, % | limit |",
    "| --- | --- | --- | ---: | ---: | --- | {}---: | ---: | --- |",
)


def kernels(result: dict[str, Any], name: str) -> str:
    """What the GPU kernels use of a multiprocessor as a section; read from machine code, nothing in it was run."""
    versions = ", ".join(
        f"{tool} {version}" for tool, version in result["versions"].items() if isinstance(version, str)
    )
    facts = {(row["arch"], row["kernel"]): row for row in result["kernels"]}
    lines = [
        f"## {name}\n",
        f"{len(facts)} CUDA kernels in the machine code of sm_{', sm_'.join(sorted(result['limits'], key=int))}, "
        f"{_spilling(result['kernels'])} of them with spills ({versions}; {result['date'][:10]}, commit "
        f"{result['commit']}). Those behind the headline cases; occupancy is arithmetic, nothing here was run.\n",
        *(line.format("") for line in KERNEL_COLUMNS),
    ]
    for row in result["launches"]:
        fact = facts[row["arch"], row["kernel"]]
        lines.append(_kernel(row, fact, row["dynamic_shared"] + fact["static_shared"]))
    if result["triton"]:
        lines += [
            f"\nThe Triton kernels, {_spilling(result['triton'])} of {len(result['triton'])} with spills; a case is a "
            "precision, an op and its number of channels.\n",
            KERNEL_COLUMNS[0].format("tensor cores | "),
            KERNEL_COLUMNS[1].format("--- | "),
            *(_kernel(row, row, row["shared"], "yes" if row["tensor_cores"] else "no") for row in result["triton"]),
        ]
    return "\n".join(lines) + "\n"


def layers(result: dict[str, Any], name: str) -> str:
    """The network layer by layer on one GPU as a section: ours, cuDNN's, the floor."""
    height, width = result["size"]
    whole = ", ".join(f"{call}: {number(ms)} ms" for call, ms in result["whole_ms"].items())
    lines = [
        f"## {name}\n",
        f"DRBNet at {height}x{width} in {result['dtype']} on {result['device']} (measured copy "
        f"{number(result['gb_s'])} GB/s, product {number(result['gflop_s'] / 1e3)} TFLOP/s; torch "
        f"{result['versions']['torch']}, Triton {result['triton']}; {result['date'][:10]}, commit {result['commit']}): "
        f"{whole}. Each kernel alone, from its own inputs; cuDNN's is PyTorch's convolution of the same sizes with "
        "bias, the fastest of its algorithms, without the activation and the addition that ours do.\n",
        "| layer | times | ours, us | cuDNN, us | floor, us |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in result["layers"]:
        rival = number(row["cudnn_us"]) if row["cudnn_us"] else ""
        cells = (row["layer"], row["times"], number(row["us"]), rival, number(row["floor_us"]))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    sums = [number(sum(row["times"] * row[key] for row in result["layers"])) for key in ("us", "floor_us")]
    return "\n".join([*lines, f"| sum | | {sums[0]} | | {sums[1]} |"]) + "\n"


def _spilling(facts: list[dict[str, Any]]) -> int:
    return sum(bool(row["stack"] or row["local"]) for row in facts)


def _kernel(row: dict[str, Any], fact: dict[str, Any], shared: int, *more: str) -> str:
    cells = (
        row["case"],
        row["arch"],
        f"`{row['kernel']}`",
        fact["registers"],
        number(shared / 1024),
        f"{fact['LDG.128']}, {fact['STG.128']}",
        *more,
        row["warps_per_multiprocessor"],
        f"{100 * row['occupancy']:.0f}",
        row["limited_by"],
    )
    return "| " + " | ".join(map(str, cells)) + " |"


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
    times = {name: rival["ms"] for name, rival in row["rivals"].items() if "ms" in rival}
    best = min(times, key=times.__getitem__)
    cells = (
        f"`{row['op']}` {row['shape']}, {row['dtype']}",
        "CPU" if machine["device"] == "cpu" else machine["name"],
        f"**{number(row[OURS]['ms'])}**",
        f"{best}: {number(times[best])}",
        number(row["rivals"][best]["ratio"]),
    )
    return "| " + " | ".join(cells) + " |"


def _stages(row: dict[str, Any]) -> str:
    ordered = sorted(row["stages"].items(), key=lambda stage: -stage[1])
    return ", ".join(f"{stage} {100 * share:.0f} %" for stage, share in ordered)


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.1e}"


def _mebi(entry: dict[str, Any]) -> str:
    return "?" if entry.get("peak_bytes") is None else f"{entry['peak_bytes'] / MEBI:.0f}"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
