"""Sentences and tables of the pages say what the files say that were measured into them."""

import json

import torch

from lfdeblur_models.ablation.table import Table, from_json
from lfdeblur_models.evaluation.scores import choose_metrics
from lfdeblur_models.networks.shipped import FILE

from .fences import ROOT

DOCS = ROOT / "docs"


def _read(path):
    return json.loads((ROOT / path).read_text())


def _says(page, *sentences):
    """Whatever the line breaks."""
    text = " ".join((DOCS / page).read_text(encoding="utf-8").split())
    missing = [sentence for sentence in sentences if sentence not in text]
    assert not missing, f"{page}: the file says so"


def _row(results, op, shape, dtype):
    (row,) = (
        r for r in results["rows"] if (r["op"], r["shape"], r["dtype"], r["mode"]) == (op, shape, dtype, "forward")
    )
    rivals = {name: rival["ms"] for name, rival in row["rivals"].items()}
    return row["ours"]["ms"], row["ours"]["peak_bytes"] / 2**20, rivals


def test_network_on_gpus():
    results = _read("benchmarks/results/h200.json")
    ours, peak, rivals = _row(results, "drbnet", "single 3x720x1280 optimize", "bfloat16")
    exact, _, their = _row(results, "drbnet", "single 3x720x1280 optimize", "float32")
    called, _, small = _row(results, "drbnet", "single 3x256x256", "bfloat16")
    floors = {
        name: sum(
            layer["floor_us"] * layer["times"] for layer in _read(f"benchmarks/results/{name}-network.json")["layers"]
        )
        for name in ("h200", "h100")
    }
    h100 = _read("benchmarks/results/h100-network.json")["whole_ms"]["optimize, bfloat16"]
    _says(
        "network.md",
        f"`optimize` {ours:.2f} ms, {peak:.0f} MiB beyond its graph",
        f"the published form in float32 {rivals['published form']:.1f} ms, under autocast channels-last "
        f"{rivals['published form, autocast, channels_last']:.1f} ms, in bfloat16 channels-last "
        f"{rivals['published form in bfloat16, channels_last']:.1f} ms, the same by `torch.compile` with CUDA graphs "
        f"{rivals['compile, CUDA graphs, bfloat16']:.2f} ms",
        f"The sum of the floors is {floors['h200'] / 1e3:.2f} ms",
        f"{exact:.1f} ms, {their['published form'] / exact:.2f} of the published form's speed",
        f"a call at 256x256 takes {called:.1f} ms where the published form takes "
        f"{small['published form, channels_last']:.1f} ms",
        f"`optimize` {h100:.2f} ms at 720x1280 in bfloat16, the floors' sum {floors['h100'] / 1e3:.2f} ms",
        f"**met**: {ours:.2f} ms (below); H100: {h100:.2f} ms",
    )


def test_model_card():
    told = _read("docs/data/training.json")
    timed = 1024  # pairs that were rendered for timing alone
    _says(
        "model_card.md",
        f"{told['pairs'] - timed:,}".replace(",", " ") + " pairs, none twice",
        f"{told['seconds']:.0f} s on an H100",
        f"{told['steps']} steps of {told['options']['batch']} pairs of 128x128",
        f"both count {timed} pairs more",
        f"{FILE.stat().st_size / 1e6:.1f} MB",
    )
    facts = _read("models/assets/stack/facts.json")
    _says("model_card.md", *(f"| {name} | {fact['radius']} |" for name, fact in facts.items()))
    explained = [fact["explained_db"] for fact in facts.values()]
    radii = [fact["radius"] for fact in facts.values()]
    _says("evaluation.md", f"{min(radii)} to {max(radii)} pixels", f"{min(explained):.0f} to {max(explained):.0f} dB")


def test_ablation():
    """Its table as the command would write it, from the scores of each seed."""
    page = (DOCS / "ablation.md").read_text(encoding="utf-8")
    scores = from_json(_read("docs/data/ablation.json")["seeds"])
    table = Table(tuple(choose_metrics(torch.device("cpu"))), scores)
    assert table.markdown().strip() in page
    assert (DOCS / "data/ablation.csv").read_text() == table.as_csv()
