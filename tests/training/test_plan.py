"""What training is about to do, told before it begins; dry runs; hooks; keys that are misspelt."""

import functools

import pytest

from lfdeblur_models import Cancelled, Progress
from lfdeblur_models.cli.train import _duration, _Shown
from lfdeblur_models.training.config import parse_config, read_config
from lfdeblur_models.training.errors import ConfigError
from lfdeblur_models.training.train import train

from .training_runs import as_toml, curve, recipe, write_pairs


@pytest.fixture
def pairs(tmp_path):
    return write_pairs(tmp_path / "pairs")


@pytest.fixture
def call(command):
    return functools.partial(command, "train")


def test_a_dry_run_tells_what_would_be_done(call, pairs, tmp_path):
    watched = {"kind": "folders", "root": str(pairs), "crop": 32, "pictures": 1}
    (tmp_path / "a.toml").write_text(as_toml(recipe(pairs, run={"steps": 40}, validation=watched)))
    out = tmp_path / "out"
    before = sorted(tmp_path.rglob("*"))
    code, said, err = call("--config", tmp_path / "a.toml", "--out", out, "--dry-run")
    assert (code, said) == (0, f"would write {out / 'weights.safetensors'}\n")
    lines = dict(line.split(maxsplit=1) for line in err.splitlines())
    assert list(lines) == ["network", "data", "validation", "device", "steps", "checkpoints"]
    assert "single view" in lines["network"]
    assert "M parameters, from identity" in lines["network"]
    assert f"pairs of folders {pairs}" in lines["data"]
    assert lines["validation"].startswith("1 pictures of folders")
    assert lines["device"] == "cpu, fp32"
    assert lines["steps"].startswith("40 of ")
    assert sorted(tmp_path.rglob("*")) == before
    assert call("--config", tmp_path / "a.toml", "--out", out, "--dry-run", "-q") == (0, "", "")


def test_report_is_told_each_step_and_cancels_so_that_the_run_goes_on(pairs, tmp_path):
    config, told = recipe(pairs, run={"steps": 4}), []

    def stop(progress):
        told.append(progress)
        return progress.done < 2

    with pytest.raises(Cancelled, match="train: cancelled after 2 of 4 steps"):
        train(config, tmp_path / "out", report=stop)
    assert [(progress.done, progress.total, progress.unit) for progress in told] == [(n, 4, "steps") for n in (1, 2)]
    assert all(progress.loss > 0 and progress.pairs_per_second > 0 for progress in told)
    train(config, tmp_path / "out", resume=True)
    train(config, tmp_path / "whole")
    assert curve(tmp_path / "out", "training.csv", "loss") == curve(tmp_path / "whole", "training.csv", "loss")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("run.stpes=5", "run.stpes: no such key; did you mean run.steps?"),
        ("data.0.rot=x", "data.0.rot: no such key; did you mean data.0.root?"),
        ("validation.pictres=5", "did you mean validation.pictures?"),
        ("opimizer.clip=1", "opimizer: no such key; did you mean optimizer?"),
        ("network.variant=ful", "did you mean full?"),
        ("run.zzz=5", "run.zzz: no such key"),
    ],
)
def test_keys_that_are_misspelt(change, message):
    with pytest.raises(ConfigError) as caught:
        read_config("stage1", [change])
    assert str(caught.value).startswith(f"stage1: {change.partition('=')[0].split('.')[0]}")
    assert str(caught.value).endswith(message) or message in str(caught.value)


def test_one_root_is_enough_and_the_error_names_the_key(call, tmp_path):
    """As the README has it."""
    for name, kind in (("stage1", "lfdof"), ("stage2", "dpdd")):
        config = read_config(name, ["data.0.root=/data/X"])
        assert (config.data[0].kind, config.validation.kind, config.validation.root) == (kind, kind, "/data/X")
    own = read_config("stage1", ["data.0.root=/data/X", "validation.root=/data/Y"])
    assert own.validation.root == "/data/Y"
    with pytest.raises(ConfigError, match="validation: root: missing"):
        parse_config({"data": [{"kind": "dpdd", "root": "x"}], "validation": {"kind": "lfdof"}})
    code, _, err = call("--config", "stage1", "--set", f"data.0.root={tmp_path / 'nowhere'}", "--out", tmp_path / "o")
    assert code == 2
    assert f"{tmp_path / 'nowhere'}: no such folder; set data.0.root" in err
    code, _, err = call("--config", "stge1")
    assert "did you mean stage1?" in err


def test_the_time_that_is_left_is_told_from_the_first_steps_on(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr("lfdeblur_models.cli.train.time.monotonic", lambda: now)
    with _Shown(1000) as shown:
        for step in range(1, 1001):
            now += 30.0 if step == 1 else 1.0  # the first one warms up
            shown.report(Progress("train", step, 1000, "steps", loss=1.0, pairs_per_second=1.0))
    assert capsys.readouterr().err.splitlines() == [
        "step 4 of 1000: about 17 min to go",
        "step 100 of 1000: about 15 min to go",
        "step 250 of 1000: about 12 min to go",
        "step 500 of 1000: about 8 min to go",
        "step 750 of 1000: about 4 min to go",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (100, "2 min"), (5400, "1 h 30 min"), (200_000, "2 d 7 h")])
def test_durations(seconds, text):
    assert _duration(seconds) == text
