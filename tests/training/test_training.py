"""``lfdeblur train``: runs, interruptions, processes, logs and what is refused before a run."""

import math
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import get_args

import pytest
import torch

from lfdeblur_models import cli, load_network
from lfdeblur_models.data import Recipe, generate
from lfdeblur_models.io.images import write_image
from lfdeblur_models.training.config import Config, parse_config, read_config
from lfdeblur_models.training.first_weights import checkpoint_weights, start_network
from lfdeblur_models.training.log import RunLog
from lfdeblur_models.training.module import Deblurring
from lfdeblur_models.training.train import train
from lfdeblur_ops.testing import LOGGED_DIGITS, TOL

from ..data.toy_scenes import write_scenes
from ..processes import started, wait_until
from .training_runs import as_toml, curve, recipe, rows, write_pairs

COMMAND = [sys.executable, "-m", "lfdeblur_models.cli", "train"]


@pytest.fixture
def pairs(tmp_path):
    return write_pairs(tmp_path / "pairs")


@pytest.fixture
def run(capsys):
    """Call the command; gives exit code and stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main(["train", *(str(argument) for argument in arguments)])
        return stop.value.code, capsys.readouterr().err

    return call


def watching(root):
    return {"kind": "folders", "root": str(root), "crop": 32, "pictures": 1}


def write(path, config):
    path.write_text(as_toml(config))
    return path


def test_a_network_learns_and_its_weights_load(pairs, tmp_path):
    config = recipe(
        pairs,
        run={"steps": 60, "batch": 4, "validate_every": 30, "checkpoint_every": 60},
        augment={"crop": 24, "noise": 0.0},
        optimizer={"learning_rate": 3e-3},
        validation=watching(pairs),
    )
    out = tmp_path / "out"
    path = train(config, out)
    gained = curve(out, "validation.csv", "psnr")
    assert list(gained) == [30, 60]
    assert gained[60] > curve(out, "validation.csv", "psnr_input")[60] + 0.5
    network = load_network(path)
    for name, value in checkpoint_weights(out / "last.ckpt").items():
        torch.testing.assert_close(network.state_dict()[name], value.half().float(), rtol=0, atol=0)
    (events,) = (out / "tensorboard").iterdir()
    assert b"validation/" in events.read_bytes()


@pytest.mark.slow
def test_killed_in_mid_epoch_and_resumed_is_the_unbroken_run(pairs, tmp_path):
    config = recipe(pairs, run={"steps": 50, "checkpoint_every": 5, "validate_every": 20}, validation=watching(pairs))
    file, whole, broken = write(tmp_path / "recipe.toml", config), tmp_path / "whole", tmp_path / "broken"
    train(config, whole)
    with started([*COMMAND, "--config", file, "--out", broken]) as process:
        wait_until((broken / "last.ckpt").exists, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
    killed_at = max(curve(broken))
    assert 5 <= killed_at < 50

    train(config, broken, resume=True)
    for log, column in (("training.csv", "loss"), ("validation.csv", "psnr")):
        assert curve(broken, log, column) == pytest.approx(curve(whole, log, column), rel=LOGGED_DIGITS)
    after, unbroken = (checkpoint_weights(folder / "last.ckpt") for folder in (broken, whole))
    for name, value in unbroken.items():
        torch.testing.assert_close(after[name], value, **TOL[torch.float32])


@pytest.mark.parametrize("hook", ["on_validation_batch_end", "on_train_batch_start"])
def test_stopped_beside_a_checkpoint_that_is_validated(pairs, tmp_path, monkeypatch, hook):
    """Step 10 has a checkpoint and a validation of two pictures: stopped in or after them, they are logged once."""
    config = recipe(
        pairs,
        run={"steps": 16, "checkpoint_every": 5, "validate_every": 5, "log_every": 4},
        validation=watching(pairs) | {"pictures": 2},
    )
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(config, whole)

    unpatched = getattr(RunLog, hook)

    def stop(callback, trainer, *arguments, **named):
        if trainer.global_step == 10:
            raise InterruptedError
        unpatched(callback, trainer, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, hook, stop)
        with pytest.raises(InterruptedError):
            train(config, broken)
    train(config, broken, resume=True)
    for log, column in (("training.csv", "loss"), ("validation.csv", "psnr")):
        after, unbroken = (rows(folder, log) for folder in (broken, whole))
        assert [row["step"] for row in after] == [row["step"] for row in unbroken]
        logged, expected = ([float(row[column]) for row in table] for table in (after, unbroken))
        assert logged == pytest.approx(expected, rel=LOGGED_DIGITS)


def as_written_before(path):
    """A checkpoint as it was when the average was a part of the module."""
    checkpoint = torch.load(path, weights_only=True)
    average, current = checkpoint["state_dict"], checkpoint.pop("current_model_state")
    assert any(not torch.equal(average[name], current[name]) for name in current)
    averaged = {f"average.module.{name.removeprefix('network.')}": value for name, value in average.items()}
    count = {"average.n_averaged": checkpoint.pop("averaging_state")["n_averaged"]}
    checkpoint["state_dict"] = current | count | averaged
    del checkpoint["callbacks"]["RunningAverage"]
    torch.save(checkpoint, path)
    for name, value in checkpoint_weights(path).items():
        assert torch.equal(value, average[f"network.{name}"])


@pytest.mark.parametrize("older", [False, True], ids=["", "from an older checkpoint"])
def test_a_finished_run_is_given_more_steps(pairs, tmp_path, older):
    options = {"checkpoint_every": 3, "validate_every": 4, "log_every": 3}
    for steps in (4, 9):
        config = recipe(
            pairs,
            run={"steps": steps} | options,
            optimizer={"schedule": "constant"},
            network={"start": "identity"},
            validation=watching(pairs),
        )
        train(config, tmp_path / "extended", resume=steps == 9)
        if older and steps == 4:
            as_written_before(tmp_path / "extended" / "last.ckpt")
    train(config, tmp_path / "whole")
    for log in ("training.csv", "validation.csv"):
        steps, wanted = ([row["step"] for row in rows(tmp_path / name, log)] for name in ("extended", "whole"))
        assert sorted(set(steps) - set(wanted)) == (["4"] if log == "training.csv" else [])
        assert set(wanted) <= set(steps)
    after, unbroken = (checkpoint_weights(tmp_path / name / "last.ckpt") for name in ("extended", "whole"))
    for name, value in unbroken.items():
        torch.testing.assert_close(after[name], value, **TOL[torch.float32])


@pytest.mark.cuda
def test_the_average_is_kept_where_the_network_runs(pairs, tmp_path):
    train(recipe(pairs, run={"accelerator": "cuda", "steps": 2}), tmp_path)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["averaging_state"]["n_averaged"].is_cuda


def test_interrupted(run, pairs, tmp_path):
    file = write(tmp_path / "recipe.toml", recipe(pairs, run={"steps": 2000, "checkpoint_every": 1}))
    out = tmp_path / "out"

    def interrupt():
        while not (out / "last.ckpt").exists():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where the tests run in the background
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        code, error = run("--config", file, "--out", out)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, "lfdeblur: interrupted" in error) == (130, True)
    assert not list(out.glob(".*"))


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one_with_the_doubled_batch(pairs, tmp_path):
    one = recipe(pairs, run={"steps": 1, "batch": 4, "checkpoint_every": 1}, optimizer={"clip": 0.0})
    two = recipe(pairs, run={"steps": 1, "batch": 4, "checkpoint_every": 1, "devices": 2}, optimizer={"clip": 0.0})
    file = write(tmp_path / "two.toml", two)
    command = [*COMMAND, "--config", file, "--out", tmp_path / "two"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        train(one, tmp_path / "one")
        told, plan = process.communicate(timeout=120)
    assert process.returncode == 0
    assert told.splitlines() == [str(tmp_path / "two" / "weights.safetensors")]
    assert plan.count("network ") == 1  # the second process says nothing
    gradients = []
    for name in ("one", "two"):
        saved = torch.load(tmp_path / name / "last.ckpt", weights_only=True)
        # After the first step AdamW's first moment is the gradient times 1 - beta.
        gradients.append([state["exp_avg"] for state in saved["optimizer_states"][0]["state"].values()])
    assert len(gradients[0]) == len(gradients[1]) > 20
    assert max(float(moment.abs().max()) for moment in gradients[0]) > 1e-3
    for single, double in zip(*gradients, strict=True):
        torch.testing.assert_close(double, single, **TOL[torch.float32])


def test_second_stage_starts_from_the_first_with_a_feature_loss(pairs, tmp_path):
    first = train(recipe(pairs), tmp_path / "first")
    for start in (first, tmp_path / "first" / "last.ckpt"):
        config = recipe(
            pairs,
            network={"start": str(start)},
            loss={"l1": 0.5, "feature": 0.1, "layers": ["conv1"]},
            augment={"crop": 36},
            optimizer={"schedule": "step"},
            run={"steps": 1, "precision": "bf16"},
        )
        begun = start_network(config.network, 0).state_dict()
        for name, value in load_network(first).state_dict().items():
            torch.testing.assert_close(begun[name], value, **TOL[torch.float16])
        out = tmp_path / start.suffix
        train(config, out)
        loss, l1, feature = (curve(out, column=column)[1] for column in ("loss", "l1", "feature"))
        assert loss == pytest.approx(0.5 * l1 + 0.1 * feature, rel=LOGGED_DIGITS)
        assert feature > 0


def test_dual_view_from_shards_and_from_light_fields(tmp_path):
    scenes = write_scenes(tmp_path / "scenes", 2, h=40, w=48)
    kept = Recipe(dual_pixel=True, planes=2, layout="webdataset", defocus_maps=False, contact_sheets=False)
    generate([scenes], tmp_path / "shards", kept)
    for kind, place in (
        ("shards", {"root": str(tmp_path / "shards")}),
        ("light-fields", {"light_fields": [str(scenes)], "sensor_noise": "0.001:0.002"}),
    ):
        config = recipe(
            "", network={"views": 2}, data=[{"kind": kind} | place], run={"steps": 2, "workers": int(kind == "shards")}
        )
        network = load_network(train(config, tmp_path / kind))
        assert network.views == 2
        assert len(curve(tmp_path / kind)) == 2


def test_a_variant_stays_one(pairs, tmp_path):
    for variant, branch in (("no-dynamic-filter", "filters"), ("no-residual", "residual")):
        config = recipe(pairs, network={"variant": variant, "start": "random"}, run={"steps": 2, "ema": 0.0})
        network = load_network(train(config, tmp_path / variant))
        for block in network.restore:
            assert not getattr(block, branch)[-1].weight.any()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "source" / "1.png").unlink(), "1.png"),
        (lambda root: (root / "target" / "7.png").write_bytes((root / "target" / "1.png").read_bytes()), "7.png"),
        (lambda root: write_pairs(root, 1, height=42, folders=("other", "target")), "0.png"),
        (lambda root: (root / "target" / "2.png").write_bytes(b"no picture"), "2.png"),
        (lambda root: write_pairs(root, 1, height=20), "smaller than the crop of 24"),
    ],
    ids=["missing", "extra", "misshaped", "broken", "small"],
)
def test_bad_data_is_named_before_training(run, pairs, tmp_path, spoil, message):
    spoil(pairs)
    code, error = run("--config", write(tmp_path / "recipe.toml", recipe(pairs)), "--out", tmp_path / "out")
    assert code == 2
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_that_turn_out_to_be_damaged_are_named(run, pairs, tmp_path, workers):
    for path in (pairs / "source").iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    file = write(tmp_path / "recipe.toml", recipe(pairs, run={"workers": workers}))
    code, error = run("--config", file, "--out", tmp_path / "out")
    assert code == 2
    *_, error = error.splitlines()  # those before tell what was about to be done
    assert error.startswith(f"lfdeblur: error: {pairs / 'source'}/")
    assert "damaged" in error


@pytest.mark.parametrize("logged", [True, False])
def test_a_run_that_diverges_keeps_what_came_before(run, pairs, tmp_path, monkeypatch, logged):
    """A step spoils the weights: the next one's loss tells, or the checkpoint that would hold them."""
    step = Deblurring.optimizer_step

    def spoil(module, *arguments, **options):
        step(module, *arguments, **options)
        if module.trainer.global_step == 4:  # counted after the step
            with torch.no_grad():
                next(module.network.parameters()).fill_(float("nan"))

    monkeypatch.setattr(Deblurring, "optimizer_step", spoil)
    every = 2 if logged else 1
    file = write(tmp_path / "recipe.toml", recipe(pairs, run={"steps": 9, "checkpoint_every": every}))
    code, error = run("--config", file, "--out", tmp_path / "out")
    assert code == 2
    *_, error = error.splitlines()  # those before tell what was about to be done
    assert ("step 6: the loss is nan" if logged else "step 5: weights are not finite") in error
    assert torch.load(tmp_path / "out" / "last.ckpt", weights_only=True)["global_step"] == 4
    kept = load_network(tmp_path / "out" / "weights.safetensors").state_dict()
    assert all(bool(value.isfinite().all()) for value in kept.values())
    assert all(math.isfinite(loss) for loss in curve(tmp_path / "out").values())


def test_what_the_command_refuses(run, pairs, tmp_path):
    file, out = write(tmp_path / "recipe.toml", recipe(pairs)), tmp_path / "out"
    for arguments, message in (
        (["--config", "stage9"], "stage1"),
        (["--config", file, "--set", "run.stepz=3"], "stepz"),
        (["--config", file, "--set", "run.steps=0"], "run.steps"),
        (["--config", file, "--set", "network.start=/no/such.safetensors"], "no such file of weights"),
        (["--config", file, "--set", "loss.feature=1", "--set", "loss.network=vgg19"], "vgg19-dcbb9e9d.pth"),
        (["--config", file, "--set", "run.batch=3", "--set", "run.devices=2"], "multiple of the 2 processes"),
        (["--config", file, "--set", "data.0.kind=cuhk"], "no truth"),
        (["--config", file, "--set", "validation.kind=cuhk", "--set", "validation.root=x"], "validation: cuhk has no"),
        (["--config", file, "--set", "network.variant=no-residual"], "identity needs the residual branch"),
        (["--config", file, "--set", 'data.0.scenes=["1"]'], "only pixel4 has them"),
        (["--config", file, "--set", "network.width=4"], "width: got 4, start: identity needs at least 6"),
        (["--config", file, "--set", "data.0.sensor_noise=abc"], "noise: got 'abc'"),
        (["--config", file, "--set", "loss.feature=1", "--set", 'loss.layers=["nope"]'], "layers: got 'nope'"),
        (["--config", file, "--set", "loss.feature=1", "--set", "augment.crop=16"], "augment.crop: got 16, too small"),
        (["--config", file, "--resume"], "no such checkpoint"),
    ):
        code, error = run(*arguments, "--out", out)
        assert (code, len(error.splitlines())) == (2, 1)
        assert message in error
        assert not out.exists()
    assert run("--config", file, "--set", "run.checkpoint_every=2", "--out", out)[0] == 0
    code, error = run("--config", file, "--out", out)
    assert code == 2
    assert "holds a run already" in error
    for change, message in (
        ("network.width=7", "network.width: got 7, the run has 6"),
        ("optimizer.learning_rate=0.5", "optimizer.learning_rate: got 0.5, the run has 0.001"),
        ("run.ema=0.0", "run.ema: got 0.0, the run has 0.9"),
    ):
        code, error = run("--config", file, "--set", change, "--out", out, "--resume")
        assert code == 2
        assert message in error


def test_without_a_gpu_none_is_asked_for(run, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    file = write(tmp_path / "recipe.toml", recipe(pairs, run={"accelerator": "cuda"}))
    code, error = run("--config", file, "--out", tmp_path / "out")
    assert (code, "run.accelerator: got cuda" in error, (tmp_path / "out").exists()) == (2, True, False)


def test_the_folder_has_the_recipes_name(run, pairs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / "mine.toml", recipe(pairs, run={"steps": 1}))
    assert run("--config", file)[0] == 0
    assert (tmp_path / "runs" / "mine" / "weights.safetensors").is_file()
    # So the second stage that ships finds the first one's weights.
    assert Path(read_config("stage2").network.start) == Path("runs", "stage1", "weights.safetensors")


@pytest.mark.parametrize(
    ("height", "noise", "message"),
    [(40, b"", "sharp has 48x40 pixels, defocused 48x48"), (48, b"x", "sharp is not a readable picture")],
)
def test_bad_shards_are_named_before_training(run, tmp_path, height, noise, message):
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for kind, high in (("defocused", 48), ("truth", height)):
            file = tmp_path / f"0.{kind}.png"
            write_image(file, torch.zeros(3, high, 48, dtype=torch.uint8))
            if noise and kind == "truth":
                file.write_bytes(noise * 100)
            tar.add(file, file.name)
    file = write(tmp_path / "recipe.toml", recipe("", data=[{"kind": "shards", "root": str(tmp_path / "shard.tar")}]))
    code, error = run("--config", file, "--out", tmp_path / "out")
    assert (code, (tmp_path / "out").exists()) == (2, False)
    assert message in error


def test_small_pictures_in_shards_are_named(run, tmp_path):
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for kind in ("defocused", "truth"):
            write_image(tmp_path / f"0.{kind}.png", torch.zeros(3, 20, 48, dtype=torch.uint8))
            tar.add(tmp_path / f"0.{kind}.png", f"0.{kind}.png")
    file = write(tmp_path / "recipe.toml", recipe("", data=[{"kind": "shards", "root": str(tmp_path)}]))
    code, error = run("--config", file, "--out", tmp_path / "out")
    assert (code, "48x20 pixels, smaller than the crop of 24" in error) == (2, True)


def test_a_recipe_survives_the_way_through_toml(pairs, tmp_path):
    import tomllib

    config = recipe(pairs, validation=watching(pairs))
    assert parse_config(tomllib.loads(as_toml(config))) == config


def test_the_documentation_names_every_key():
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    for name, field in Config.model_fields.items():
        assert f"`{name}`" in text
        part = next(kind for kind in (field.annotation, *get_args(field.annotation)) if hasattr(kind, "model_fields"))
        for key in part.model_fields:
            assert f"`{key}`" in text, f"{name}.{key}"
