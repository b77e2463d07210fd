"""The pages ``report.md``, of what was measured, and ``gpu.md``, of what arithmetic and machine code tell of GPUs."""

import re
from pathlib import Path
from typing import Any

from ._tables import OURS, machine_line, markdown, number, rows_table
from .users import _table

HEAD = """# Benchmarks

How fast each op is on a machine, how near that is to what the machine allows, and beside what else. This page and its
pictures are made from `benchmarks/results/*.json` by `python -m benchmarks report`; no number in it is typed. Each op's
page has its rows too: [Ops](../ops/index.md).

{contents}

**Reading a row.** Times are medians, the sides taken in turn; a rival's `×` is the median of paired ratios, below 1 the
rival is faster. The *floor* is the larger of bytes over bandwidth and operations over peak, each input and output moved
once, both limits measured in the same run; 100 % of it cannot be passed, but by data that stays in a CPU's cache
from call to call, and by Winograd's convolutions, of which the direct form's operations are counted. A GPU's cache is
cleared before each call. Times on a CPU that has other things to do are longer.

**On your machine.** From a checkout, in some minutes; `--only refocus` measures one op, `--full` more cases.

<!-- not run: it measures for minutes -->
```console
$ python -m benchmarks --json mine.json
$ python -m benchmarks report mine.json --out mine
```

`python -m benchmarks compare benchmarks/results/cpu.json mine.json` says row by row which of the two is faster.
"""


GPU_HEAD = """# GPUs: floors and kernels

Nothing here was run: the least times that a GPU's rates allow, and what the compiled kernels use of a multiprocessor.
What was measured: [Benchmarks](report.md).

{contents}
"""
KINDS = {"report.md": ("machine", "layers", "users"), "gpu.md": ("floors", "kernels")}
Section = tuple[dict[str, Any], str, list[str]]  # a result, the name of its file, its pictures


def pages(sections: list[Section]) -> dict[str, str]:
    """The pages of results by name; the second only where there is something in it."""
    made = {}
    for name, kinds in KINDS.items():
        mine = [
            (kinds.index(kind), section[1], section) for section in sections for kind in kinds if kind in section[0]
        ]
        titled = [_section(*section) for _, _, section in sorted(mine, key=lambda found: found[:2])]
        contents = "\n".join(f"- [{title}](#{_anchor(title)})" for title, _ in titled)
        head = (HEAD if name == "report.md" else GPU_HEAD).format(contents=contents)
        if titled or name == "report.md":
            made[name] = head + "".join(f"\n## {title}\n\n{body}" for title, body in titled)
    if "gpu.md" in made:
        made["report.md"] += BESIDE
    return made


BESIDE = """
## Beside this

[GPUs: floors and kernels](gpu.md): the least times on a GPU by arithmetic, and what each kernel uses of it.

```{toctree}
:hidden:

gpu
```
"""


def _section(result: dict[str, Any], name: str, pictures: list[str]) -> tuple[str, str]:
    """Title and text."""
    if "machine" in result:
        return f"Ops on {result['machine']['name']}", suite(result, name, pictures)
    if "layers" in result:
        return f"DRBNet layer by layer on {result['device']}", layers(result)
    if "users" in result:
        return "Layers of published models", _table.section(result)
    if "floors" in result:
        return f"Floors on {result['floors']['name']}, by arithmetic", floors(result)
    return "What the GPU kernels use", kernels(result)


def _anchor(title: str) -> str:
    """As repository hosts make it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def suite(result: dict[str, Any], name: str, pictures: list[str]) -> str:
    """One result of the suite: machine, pictures, a short table for each op, then everything."""
    machine = result["machine"]["name"]
    rows = [row for row in result["rows"] if OURS in row]
    parts = [f"`{name}`: {machine_line(result['machine'])}.\n"]
    parts += [f"![{_about(picture)}, {machine}]({picture})\n" for picture in pictures if "rivals_" not in picture]
    for op in dict.fromkeys(row["op"] for row in rows):
        parts.append(f"### {op}, {machine}\n")
        parts.append(rows_table([row for row in rows if row["op"] == op]))
    parts.append(f"### Bytes, operations and memory, {machine}\n")
    parts.append("Peak memory is beyond the inputs: ours / the rivals', in their order above.\n")
    parts.append(markdown(result["rows"]))
    parts += [f"Skipped {module}: {reason}\n" for module, reason in result.get("skipped", {}).items()]
    parts += [f"![{_about(picture)}, {machine}]({picture})\n" for picture in pictures if "rivals_" in picture]
    return "\n".join(parts)


def _about(picture: str) -> str:
    """What a picture shows, by its name."""
    kind = Path(picture).stem.partition("_")[2]
    said = {
        "roofline": "Rate of each case below the limits of memory and arithmetic",
        "rivals": "The fastest rival of each case",
        "size": "Time over the size of the picture",
        "planes": "Time over the number of focal planes",
        "threads": "Time over the number of threads",
    }
    return said.get(kind, f"Rivals case by case, {kind.removeprefix('rivals_')}")


def floors(result: dict[str, Any]) -> str:
    """The least times of the CUDA cases on one GPU; nothing in it was timed."""
    gpu = result["floors"]
    peaks = ", ".join(f"{dtype} {number(rate / 1e3)}" for dtype, rate in gpu["peak_gflop_s"].items())
    lines = [
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


def kernels(result: dict[str, Any]) -> str:
    """What the GPU kernels use of a multiprocessor; read from machine code, nothing in it was run."""
    versions = ", ".join(
        f"{tool} {version}" for tool, version in result["versions"].items() if isinstance(version, str)
    )
    facts = {(row["arch"], row["kernel"]): row for row in result["kernels"]}
    lines = [
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


def layers(result: dict[str, Any]) -> str:
    """The network layer by layer on one GPU: ours, cuDNN's, the floor."""
    height, width = result["size"]
    whole = ", ".join(f"{call}: {number(ms)} ms" for call, ms in result["whole_ms"].items())
    lines = [
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
