"""``lfdeblur ablate``: the table's numbers, runs that are kept, interruptions, what is refused."""

import csv
import json
import shutil
import signal
import statistics
import sys
from pathlib import Path

import pytest
import torch

from lfdeblur_models import DRBNet, cli, deblur
from lfdeblur_models.ablation import runs, table
from lfdeblur_models.ablation.config import AblationConfig
from lfdeblur_models.ablation.plan import ROWS
from lfdeblur_models.ablation.runs import ablate, total_steps
from lfdeblur_models.ablation.table import Table
from lfdeblur_models.evaluation.metrics import psnr
from lfdeblur_models.evaluation.scores import choose_metrics
from lfdeblur_models.io.images import read_image
from lfdeblur_models.training.first_weights import checkpoint_weights
from lfdeblur_models.training.recipe_files import parse_recipe, read_recipe
from lfdeblur_ops.testing import LOGGED_DIGITS, MANY_ROUNDINGS

from ..processes import started, wait_until
from .training_runs import write_pairs

COMMAND = [sys.executable, "-m", "lfdeblur_models.cli", "ablate"]
SMALL = {"width": 6, "scales": 2, "kernel_size": 3}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Light-field pairs, real pairs, and pairs to score on; tests only read them."""
    root = tmp_path_factory.mktemp("folders")
    return {name: str(write_pairs(root / name, 2, seed=n)) for n, name in enumerate(("fields", "real", "scored"))}


@pytest.fixture(scope="module")
def finished(folders, tmp_path_factory):
    """The folder of a whole table of one seed; tests go on in copies of it."""
    out = tmp_path_factory.mktemp("finished") / "out"
    ablate(parse_recipe(AblationConfig, values(folders)), out)
    return out


FEW = (ROWS[0], ROWS[1], ROWS[-1])  # what it is compared with, another network, another loss


@pytest.fixture
def few_rows(monkeypatch):
    """A call after which the table has the rows ``FEW``: the others take as long and are made alike."""

    def leave_out():
        for module in (runs, table):
            monkeypatch.setattr(module, "ROWS", FEW)

    return leave_out


def values(folders, **parts):
    return {
        "network": SMALL,
        "augment": {"crop": 24},
        "optimizer": {"clip": 0.5, "warmup": 1},
        "run": {"batch": 1, "workers": 0, "accelerator": "cpu", "checkpoint_every": 2, "log_every": 1, "ema": 0.5},
        "stage1": {"steps": 3, "learning_rate": 2e-3},
        "stage2": {"steps": 2, "learning_rate": 1e-3},
        "feature": {"l1": 0.0, "feature": 0.1, "layers": ["conv1"]},
        "light_field": [{"kind": "folders", "root": folders["fields"]}],
        "real": [{"kind": "folders", "root": folders["real"]}],
        "evaluation": [{"name": "held out", "kind": "folders", "root": folders["scored"], "middle": 32}],
        "seeds": 1,
    } | parts


def write(path, folders, **parts):
    """As TOML: JSON's values are TOML's inline ones."""

    def inline(value):
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{key} = {inline(inner)}" for key, inner in value.items()) + " }"
        if isinstance(value, list):
            return "[" + ", ".join(inline(inner) for inner in value) + "]"
        return json.dumps(value)

    path.write_text("".join(f"{key} = {inline(value)}\n" for key, value in values(folders, **parts).items()))
    return path


@pytest.fixture
def run(capsys):
    """Call the command; gives exit code, stdout and stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main(["ablate", *(str(argument) for argument in arguments)])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return call


def files(out):
    return {name: (out / f"table.{name}").read_text() for name in ("md", "csv", "json")}


def test_numbers_are_means_over_seeds_of_the_runs_scores(run, folders, finished, few_rows, tmp_path):
    config, out = write(tmp_path / "ablate.toml", folders), tmp_path / "out"
    shutil.copytree(finished, out)
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/seed0/*/*.ckpt")}
    assert len(before) == 13
    assert run("--config", config, "--out", out)[0] == 0
    assert "±" not in files(out)["md"]

    few_rows()
    code, said, err = run("--config", config, "--out", out, "--seeds", "2")
    assert (code, err) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in out.glob("runs/seed0/*/*.ckpt")} == before  # kept
    with open(out / "table.csv", newline="") as file:
        rows = {(row["variant"], row["metric"]): row for row in csv.DictReader(file)}
    told = json.loads(files(out)["json"])
    for row in FEW:
        by_seed = []
        for seed in range(2):
            network = DRBNet(variant=row.run.variant, **SMALL).eval()
            network.load_state_dict(checkpoint_weights(out / "runs" / f"seed{seed}" / row.run.name / "last.ckpt"))
            found = []
            for number in range(2):
                blurred, sharp = (
                    (read_image(f"{folders['scored']}/{kind}/{number}.png")[0] / 255)[:, 4:36, 8:40].contiguous()
                    for kind in ("source", "target")
                )
                found.append(float(psnr(deblur(network, blurred).clamp(0, 1)[None], sharp[None])))
            by_seed.append(statistics.fmean(found))
        line = rows[row.name, "psnr"]
        assert float(line["seed0"]) == pytest.approx(by_seed[0], abs=LOGGED_DIGITS)
        assert float(line["mean"]) == pytest.approx(statistics.fmean(by_seed), abs=LOGGED_DIGITS)
        assert float(line["spread"]) == pytest.approx(statistics.stdev(by_seed), abs=LOGGED_DIGITS)
        assert f"{float(line['mean']):.2f} ± {float(line['spread']):.2f}" in files(out)["md"]
        assert row.name in said
    full, feature = (rows[row.name, "psnr"] for row in (FEW[0], FEW[2]))
    gains = [float(feature[seed]) - float(full[seed]) for seed in ("seed0", "seed1")]
    told = next(row for row in told["rows"] if row["variant"] == FEW[2].name)
    gain = told["sets"]["held out"]["psnr_against_rival"]["mean"]
    assert gain == pytest.approx(statistics.fmean(gains), abs=MANY_ROUNDINGS)
    assert len({line["mean"] for (_, metric), line in rows.items() if metric == "psnr"}) == len(FEW) + 1

    code, _, err = run("--config", config, "--out", out, "--set", "stage1.steps=4")
    assert code == 2
    assert "holds runs of another recipe" in err


def test_rows_leave_out_what_they_say(folders, finished):
    for row in ROWS:
        state = checkpoint_weights(finished / "runs" / "seed0" / row.run.name / "last.ckpt")
        recipe = json.loads((finished / "runs" / "seed0" / row.run.name / "recipe.json").read_text())
        silent = {name for name in ("filters", "residual") if not state[f"restore.0.{name}.2.weight"].any()}
        scales = {name.split(".")[1] for name in state if name.startswith("restore.")}
        expected = {"no-dynamic-filter": {"filters"}, "no-residual": {"residual"}}.get(row.run.variant, set())
        assert silent == expected, row.name
        assert len(scales) == (1 if row.run.variant == "single-scale" else 2)
        assert recipe["loss"]["feature"] == (0.1 if row.name == "feature loss in stage 2" else 0)
        root = folders["fields" if row.name == "light field only" else "real"]
        assert [part["root"] for part in recipe["data"]] == [root]
        assert recipe["run"]["steps"] == (5 if row.name in ("light field only", "real only") else 2)
        assert recipe["network"]["start"].endswith("last.ckpt") == (row.group != "data")


@pytest.mark.slow
def test_killed_and_run_again_gives_the_same_table(run, folders, finished, few_rows, tmp_path):
    config, broken, whole = write(tmp_path / "ablate.toml", folders), tmp_path / "broken", tmp_path / "whole"
    shutil.copytree(finished, whole)
    with started([*COMMAND, "--config", config, "--out", broken]) as process:
        wait_until(lambda: len(list(broken.glob("runs/*/*/last.ckpt"))) >= 3, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
    begun = list(broken.glob("runs/*/*/last.ckpt"))
    assert 3 <= len(begun) < 13
    assert len(list(broken.glob("runs/*/*/finished"))) < len(begun) + 1
    assert not (broken / "table.md").exists()
    few_rows()
    for out in (broken, whole):
        assert run("--config", config, "--out", out)[0] == 0
    before, after = (json.loads(files(out)["json"]) for out in (whole, broken))
    for first, second in zip(before["rows"], after["rows"], strict=True):
        for name, value in first["sets"]["held out"].items():
            found = second["sets"]["held out"][name]["mean"]
            assert found == pytest.approx(value["mean"], abs=LOGGED_DIGITS), first["variant"]
    assert files(broken)["md"] == files(whole)["md"]


def test_dual_view_networks(tmp_path, monkeypatch):
    """Of the first rows; what the others change has nothing to do with views."""
    monkeypatch.setattr(runs, "ROWS", ROWS[:2])
    root = str(write_pairs(tmp_path / "pairs", 2))
    write_pairs(tmp_path / "pairs", 2, folders=("left", "right"), seed=7)
    folders = dict.fromkeys(("fields", "real", "scored"), root)
    config = parse_recipe(AblationConfig, values(folders, network=SMALL | {"views": 2}))
    made = ablate(config, tmp_path / "out")
    assert made.value(ROWS[0].name, "held out", "psnr").mean > 5


def test_what_the_command_refuses(run, folders, tmp_path):
    config, out = write(tmp_path / "ablate.toml", folders), tmp_path / "out"
    for arguments, message in (
        (["--config", "ablate9"], "nor a shipped recipe: ablate"),
        (["--config", "ablate"], "pairs-lfdof: no such folder"),
        (["--config", config, "--set", "network.start=identity"], "are what the table varies"),
        (["--config", config, "--set", "network.variant=no-residual"], "are what the table varies"),
        (["--config", config, "--set", "feature.feature=0"], "feature"),
        (["--config", config, "--set", "real.0.kind=cuhk"], "no truth to train on"),
        (["--config", config, "--set", "real.0.root=/none"], "/none: no such folder"),
        (["--config", config, "--set", "evaluation.0.root=/none"], "/none: no such folder"),
        (["--config", config, "--set", "feature.network=vgg19"], "vgg19"),
        (["--config", config, "--set", "augment.crop=60"], "smaller than the crop of 60"),
        (["--config", config, "--seeds", "0"], "--seeds"),
        (["--config", config, "--set", "network.width=4"], "network.width: got 4"),
        (["--config", config, "--set", 'feature.layers=["nope"]'], "layers: got 'nope'"),
    ):
        code, _, err = run(*arguments, "--out", out)
        assert (code, len(err.splitlines())) == (2, 1)
        assert message in err
        assert not out.exists()


def test_equal_pictures_are_infinitely_good(run, folders, finished, tmp_path):
    scored = write_pairs(tmp_path / "scored", 2)
    for name in ("0.png", "1.png"):
        (scored / "source" / name).write_bytes((scored / "target" / name).read_bytes())
    config, out = write(tmp_path / "ablate.toml", folders | {"scored": str(scored)}), tmp_path / "out"
    shutil.copytree(finished, out)
    for known in (out / "recipe.json", *out.glob("runs/*/*/scores.json")):  # trained as before, scored on other pairs
        known.unlink()
    assert run("--config", config, "--out", out)[0] == 0
    before = files(tmp_path / "out")
    assert json.loads(before["json"])["input"]["held out"]["psnr"] is None
    assert run("--config", config, "--out", tmp_path / "out")[0] == 0
    assert files(tmp_path / "out") == before


def test_the_shipped_recipe_is_small():
    config = read_recipe(AblationConfig, "ablate")
    assert config.seeds >= 3
    assert total_steps(config) <= 20000
    scored = {(part.root, scene) for part in config.evaluation for scene in part.scenes}
    trained = {(part.root, scene) for part in config.real for scene in part.scenes}
    assert scored
    assert not scored & trained


def test_the_documented_table_is_that_of_its_values():
    docs = Path(__file__).parents[2] / "docs"
    scores = json.loads((docs / "data" / "ablation.json").read_text())["seeds"]
    assert {len(seeds) for seeds in scores.values()} == {3}
    made = Table(choose_metrics(torch.device("cpu")), scores)
    assert made.markdown() in (docs / "ablation.md").read_text()
    assert made.as_csv() == (docs / "data" / "ablation.csv").read_text()
