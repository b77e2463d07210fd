"""The tables in ``docs/at_scale.md``, from measured rates: ``python -m docs.figures.at_scale`` rewrites them.

With ``--measure`` the rates are measured first, into ``docs/data/at_scale.json``, in seconds of processor time, which
other programs on the machine lengthen less than they do wall clocks.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._tables import between

ROOT = Path(__file__).parents[2]
PAGE, RATES = ROOT / "docs" / "at_scale.md", ROOT / "docs" / "data" / "at_scale.json"
RESULTS = ROOT / "benchmarks" / "results"
CHESS = ROOT / "models" / "assets" / "chess"
RECIPES = ROOT / "models" / "assets" / "recipes"

COUNTS = {"a million": 10**6, "a hundred million": 10**8}
CORES = 64  # of a machine that the tables speak of
WIDTH = "width 32, 8 patches of 256x256"  # of a step: the paper's network, and the recipes' batch and crop
SMALL = "width 16, 2 patches of 128x128"
GENERATED = {
    "folders, 8 bits": (),
    "shards, 8 bits": ("--layout", "webdataset"),
    "shards, 16 bits, dual pixel": ("--layout", "webdataset", "--bits", "16", "--dual-pixel"),
}
CROP, DRAWN = 256, 64  # pixels and number of the crops that are drawn


def measure() -> dict[str, Any]:
    """Rates of this machine, one thread at a time."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    from benchmarks._machine import describe

    torch.set_num_threads(1)
    rates: dict[str, Any] = {"machine": describe("cpu"), "views": "7x7 views of 848x480 pixels", "pairs_per_scene": 15}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number in range(3):
            shutil.copytree(CHESS, f"scenes/chess{number}")
        rates["generate"] = {name: _generated(name, options) for name, options in GENERATED.items()}
        rates["draw"] = {
            name: _drawn(part) | {"what": what}
            for name, what, part in (
                ("rendered", "crops rendered from views in memory", _part("light-fields", light_fields=(str(CHESS),))),
                ("folders", "crops of pictures in folders", _part("lfdof", root="folders, 8 bits 2")),
                ("shards", "crops of pictures in shards", _part("shards", root="shards, 8 bits 2")),
            )
        }
    return rates


def _generated(name: str, options: tuple[str, ...]) -> dict[str, float]:
    """Seconds of a core and bytes for a scene, beyond those of starting: of three scenes less those of one."""
    spent, size = [], []
    for count in (1, 3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = f"{name} {count - 1}"
        scenes = [f"scenes/chess{number}" for number in range(count)]
        command = [sys.executable, "-m", "lfdeblur_models.cli", "generate", *scenes, "--out", out, *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        files = [path for path in Path(out).rglob("*") if path.is_file() and "contact_sheets" not in path.parts]
        size.append(sum(path.stat().st_size for path in files))
    return {
        "seconds_per_scene": (spent[1] - spent[0]) / 2,
        "bytes_per_scene": (size[1] - size[0]) / 2,
        "start": 1.5 * spent[0] - 0.5 * spent[1],
    }


def _part(kind: str, **told: Any) -> Any:
    from lfdeblur_models.training.config import DataConfig

    return DataConfig(kind=kind, **told)  # type: ignore[arg-type]


def _drawn(part: Any) -> dict[str, float]:
    """Seconds of a core for an augmented crop, as training draws it."""
    from lfdeblur_models.training.config import AugmentConfig
    from lfdeblur_models.training.sampling import TrainingPairs, open_pairs

    start = time.process_time()
    source: Any = open_pairs(part, 1, CROP, 0, "cpu")
    opening = time.process_time() - start
    pairs = TrainingPairs([source], [1.0], AugmentConfig(crop=CROP), 0)
    pairs.__getitems__(range(4))  # what is read or estimated once
    start = time.process_time()
    for position in range(0, DRAWN, 8):
        pairs.__getitems__(range(4 + position, 12 + position))
    drawing = time.process_time() - start
    return {"seconds_per_pair": drawing / DRAWN, "seconds_to_open_a_pair": opening / len(source)}


def blocks(rates: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each made part of the page: its name and its text."""
    machine = rates["machine"]
    yield (
        "machine",
        f"{machine['name']} ({machine['build_info']['cpu_capability']}), a virtual machine of {machine['cores']} cores "
        f"which other programs used at the same time (load {machine['load_average']}); "
        f"torch {machine['versions']['torch']}, "
        f"{machine['date'][:10]}, commit {machine['commit']}.",
    )
    yield "rates", _rates(rates)
    yield "pairs", _pairs(rates)
    yield "draw", _draw(rates)
    yield "training", _training()
    yield "processor", _on_two_cores()


def _table(head: str, rows: list[str]) -> str:
    columns = head.count("|") - 1
    return "\n".join((head, "| --- |" + " ---: |" * (columns - 1), *rows))


def _rates(rates: dict[str, Any]) -> str:
    per_scene = rates["pairs_per_scene"]
    rows = []
    for name, found in rates["generate"].items():
        seconds, size = found["seconds_per_scene"], found["bytes_per_scene"]
        megabytes = size / per_scene / 1e6
        rows.append(f"| {name} | {seconds:.1f} | {per_scene / seconds:.2f} | {megabytes:.2f} | {found['start']:.1f} |")
    head = "| written as | core seconds a scene | pairs a core second | MB a pair | core seconds to start |"
    return _table(head, rows)


def _pairs(rates: dict[str, Any]) -> str:
    rows = []
    for name, found in rates["generate"].items():
        for words, count in COUNTS.items():
            scenes = count / rates["pairs_per_scene"]
            hours = scenes * found["seconds_per_scene"] / 3600
            rows.append(
                f"| {words}, {name} | {_number(scenes)} | {_number(hours)} | {_time(hours / CORES)} | "
                f"{_size(scenes * found['bytes_per_scene'])} |"
            )
    return _table(f"| pairs | scenes | core hours | on {CORES} cores | disk |", rows)


def _draw(rates: dict[str, Any]) -> str:
    step = _step("h200", WIDTH, "bfloat16")["ms"] / 1e3
    rows = [
        f"| {found['what']} | {found['seconds_per_pair'] * 1e3:.1f} | {1 / found['seconds_per_pair']:.0f} | "
        f"{found['seconds_per_pair'] * 8 / step:.1f} | {_opening(found)} |"
        for found in rates["draw"].values()
    ]
    head = f"| {CROP}x{CROP} pixels | core ms a pair | pairs a core second | cores for an H200 | to open a million |"
    return _table(head, rows)


def _opening(found: dict[str, Any]) -> str:
    """Time before the first step, of a million pairs; light fields have no end of pairs."""
    minutes = found["seconds_to_open_a_pair"] * 1e6 / 60
    return "" if "views" in found["what"] else f"{_number(minutes)} core minutes"


def _training() -> str:
    rows = []
    for stage in ("stage1", "stage2"):
        steps, batch = _told(stage, "steps"), _told(stage, "batch")
        for dtype in ("float32", "bfloat16"):
            step = _step("h200", WIDTH, dtype)
            seconds, memory, pairs = step["ms"] / 1e3, step["peak_bytes"] / 1e9, steps * batch / 1e6
            rows.append(
                f"| `{stage}`, {dtype} | {_number(steps)} | {pairs:.2f} | {step['ms']:.0f} | {memory:.1f} | "
                f"{_time(steps * seconds / 3600)} |"
            )
    return _table("| recipe | steps | million pairs | ms a step | GB | one H200 |", rows)


def _on_two_cores() -> str:
    """How long ``stage1`` takes at half the width, by the pixels of its crops."""
    step = _step("cpu", SMALL, "float32")
    pixels = _told("stage1", "steps") * _told("stage1", "batch") * CROP**2
    hours = pixels / (2 * 128**2) * step["ms"] / 1e3 / 3600
    return (
        f"A step of the half-width network on {SMALL.split(', ')[1]} takes {step['ms']:.0f} ms on two cores of a Xeon. "
        f"At that rate `stage1` takes {_time(hours)}, at half the width."
    )


def _told(recipe: str, key: str) -> int:
    found = re.search(rf"^{key} = (\d+)", (RECIPES / f"{recipe}.toml").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"the recipe {recipe} tells no {key}")
    return int(found[1])


def _step(machine: str, shape: str, dtype: str) -> dict[str, float]:
    """Milliseconds and peak memory of a training step, from the benchmarks' results."""
    rows = json.loads((RESULTS / f"{machine}.json").read_text(encoding="utf-8"))["rows"]
    found = [row for row in rows if row["op"] == "training_step" and (row["shape"], row["dtype"]) == (shape, dtype)]
    ours: dict[str, float] = found[0]["ours"]
    return ours


def _number(value: float) -> str:
    """Two digits that count, thousands apart."""
    digits = max(0, len(str(int(value))) - 2)
    return f"{round(value, -digits):,.0f}".replace(",", " ") if value >= 10 else f"{value:.1f}"


def _time(hours: float) -> str:
    return f"{_number(hours)} hours" if hours < 72 else f"{_number(hours / 24)} days"


def _size(value: float) -> str:
    return f"{_number(value / 1e12)} TB" if value >= 1e12 else f"{_number(value / 1e9)} GB"


def with_tables(page: str, rates: dict[str, Any]) -> str:
    """A page with its made parts made anew. Raises ValueError where one is missing."""
    for name, text in blocks(rates):
        page = between(page, name, f"{text}\n")
    return page


def main() -> None:
    parser = argparse.ArgumentParser("python -m docs.figures.at_scale", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure the rates first: minutes")
    if parser.parse_args().measure:
        here = Path.cwd()
        rates = measure()
        os.chdir(here)
        RATES.write_text(json.dumps(rates, indent=1) + "\n", encoding="utf-8")
    rates = json.loads(RATES.read_text(encoding="utf-8"))
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), rates), encoding="utf-8")


if __name__ == "__main__":
    main()
