"""--quiet, --verbose and --dry-run; what goes to stdout and what to stderr; no two stacks in one folder."""

import logging

import pytest
import torch

from lfdeblur_models import DRBNet
from lfdeblur_models.cli.commands import COMMANDS
from lfdeblur_models.io.images import write_image

from ..data.noise_views import make_light_field


@pytest.fixture
def field(tmp_path):
    return make_light_field(tmp_path / "toy")


@pytest.fixture
def photo(tmp_path):
    write_image(tmp_path / "photo.png", torch.rand(3, 16, 24))
    return tmp_path / "photo.png"


@pytest.fixture
def small(tmp_path):
    torch.save(DRBNet(width=8, scales=2).identity_().state_dict(), tmp_path / "small.pt")
    return tmp_path / "small.pt"


@pytest.mark.parametrize("place", ["before", "after"])
def test_quiet_says_nothing_but_errors(run, photo, small, tmp_path, place):
    words = ["deblur", photo, "--weights", small, "--out", tmp_path / "out"]
    words = ["-q", *words] if place == "before" else [*words, "--quiet"]
    assert run(*words) == (0, "", "")
    assert (tmp_path / "out" / "photo.png").is_file()
    code, out, err = run("-q", "deblur", tmp_path / "nowhere.png")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert logging.getLogger("lfdeblur").level == logging.NOTSET  # as a program had it that calls main


@pytest.mark.parametrize("place", ["before", "after"])
def test_verbose_tells_each_file_on_stderr(run, photo, small, tmp_path, place):
    words = ["deblur", photo, "--weights", small, "--out", tmp_path / "out", "--dtype", "float32"]
    code, out, err = run(*(["-v", *words] if place == "before" else [*words, "-v"]))
    assert code == 0
    assert f"lfdeblur: {tmp_path / 'out' / 'photo.png'}: 24x16 pixels, " in err
    assert "lfdeblur: deblur: " not in err
    assert f"lfdeblur: deblur: {photo}: 1x1 tiles" in run(*words, "-vv")[2]
    summary = out.splitlines()
    assert len(summary) == 1
    assert summary[0].startswith(f"1 picture in {tmp_path / 'out'}: 0.00 megapixels in ")
    assert summary[0].endswith(f" s, float32 on cpu, weights {small}, compiled kernels")


def dry_runs(field, photo, small, tmp_path):
    out = tmp_path / "out"
    return {
        "info": [field, "--out", out],
        "depth": [field, "--out", out],
        "refocus": [field, "--out", out, "--disparity", "0:1:2"],
        "epi": [field, "--out", out],
        "convert": [field, "--out", out, "--to", "npz"],
        "simulate": [field, "--out", tmp_path / "a.lfp", "--disparity", "0"],
        "generate": [field, "--out", out],
        "deblur": [photo, "--out", out, "--weights", small],
        "export": ["--to", "torch", "--out", tmp_path / "net.pt2", "--weights", small],
        "demo": ["--out", out],
        "evaluate": ["--data", "stack", "--out", out, "--weights", small],
    }


def test_a_dry_run_tells_what_would_be_written_and_writes_nothing(run, field, photo, small, tmp_path):
    every = dry_runs(field, photo, small, tmp_path)
    writing = {command.__name__ for commands in COMMANDS.values() for command in commands} - {"view"}
    assert writing - set(every) == {"train", "ablate"}  # in tests/training, for the extra
    before = sorted(tmp_path.rglob("*"))
    for name, words in every.items():
        code, out, err = run(name, *words, "--dry-run")
        assert (code, err) == (0, ""), name
        assert "would" in out, name
        assert sorted(tmp_path.rglob("*")) == before, name


def test_a_dry_run_checks_as_the_run_does(run, photo, tmp_path):
    (tmp_path / "file").write_text("x")
    code, _, err = run("deblur", photo, "--out", tmp_path / "file", "--dry-run")
    assert code == 2
    assert "cannot write to the folder" in err
    code, out, err = run("deblur", photo, "--out", tmp_path / "out", "--memory", "1MB", "--dry-run")
    assert (code, out) == (2, "")
    assert "--memory: got 1 MB, want at least " in err
    assert not (tmp_path / "out").exists()


def test_no_bars_where_no_terminal_is_whatever_rich_is_told(run, photo, small, tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run("deblur", photo, "--weights", small, "--out", tmp_path / "out")[2] == ""


def test_two_stacks_do_not_mix(run, field, tmp_path):
    out = tmp_path / "planes"
    words = ("refocus", field, "--aperture", "disk:1", "--out", out)
    assert run(*words, "--disparity", "-1:1:3")[0] == 0
    assert run(*words, "--disparity", "-1:1:3")[0] == 0  # the same planes replace themselves
    (out / "plane_of_mine.png").write_text("x")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    code, said, err = run(*words, "--disparity", "0,1")
    assert (code, said) == (2, "")
    assert f"--out: {out} holds planes of another stack (plane_00_d-1.000.png, plane_01_d+0.000.png" in err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    code, said, _ = run(*words, "--disparity", "0,1", "--overwrite", "--dry-run")
    assert "and remove 3 planes of another stack" in said
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    code, said, _ = run(*words, "--disparity", "0,1", "--overwrite")
    assert code == 0
    assert said.startswith("removed 3 planes of another stack\n2 planes, ")
    assert sorted(path.name for path in out.glob("plane_*")) == [
        "plane_00_d+0.000.png",
        "plane_01_d+1.000.png",
        "plane_of_mine.png",
    ]


def test_a_photograph_is_no_light_field(run, photo, tmp_path):
    for name in ("info", "refocus"):
        code, _, err = run(name, photo, "--out", tmp_path / "out")
        assert code == 2
        assert f"{photo}: a photograph, as far as it tells, which lfdeblur deblur restores: " in err
