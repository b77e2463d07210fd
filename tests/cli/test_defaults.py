"""Defaults of a user's own: lfdeblur.toml and the environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lfdeblur_models.cli.main import app
from lfdeblur_models.io.images import write_image

from ..data.noise_views import make_light_field


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder two levels down, and a home of its own."""
    folder = tmp_path / "project" / "below"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    make_light_field(folder / "toy")
    return folder


def told(run, *words):
    """Where the dry run of refocus would write, and what."""
    code, out, err = run("refocus", "toy", *words, "--dry-run")
    assert (code, err) == (0, ""), err
    return out


def test_line_before_environment_before_file_before_the_user_s_file(run, here, tmp_path, monkeypatch):
    home = tmp_path / "home" / "lfdeblur" / "lfdeblur.toml"
    home.parent.mkdir(parents=True)
    home.write_text('[refocus]\nout = "home"\ndisparity = "1"\n')
    assert "to home" in told(run)
    (tmp_path / "project" / "lfdeblur.toml").write_text('[refocus]\nout = "project"\n')
    out = told(run)
    assert "to project" in out
    assert "plane_00_d+1.000.png" in out  # of the other file, which this one says nothing of
    monkeypatch.setenv("LFDEBLUR_REFOCUS_OUT", "environment")
    assert "to environment" in told(run)
    assert "to line" in told(run, "--out", "line")
    other = tmp_path / "other.toml"
    other.write_text("[refocus]\nall-in-focus = true\nviews = 1\n")
    monkeypatch.delenv("LFDEBLUR_REFOCUS_OUT")
    code, out, _ = run("--config-file", other, "refocus", "toy", "--out", "o", "--dry-run")
    assert (code, out) == (0, "would write o/all_in_focus.png\n")
    words = ["--config-file", other, "refocus", "toy", "--out", "o", "--dry-run"]
    assert run("-v", *words)[2] == run(*words, "-v")[2] == f"lfdeblur: defaults from {other}\n"


def test_lists_numbers_and_help_take_them(run, here):
    Path("lfdeblur.toml").write_text('[generate]\naperture = ["disk:1", "square:1"]\nout = "o"\nplanes = 3\n')
    out = run("generate", "toy", "--dry-run")[1]
    assert "2 apertures, 3 planes each" in out
    assert "[default: 3]" in run("generate", "--help")[1]
    assert not Path("o").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[deblr]\n", "[deblr]: no such command; did you mean deblur?"),
        ('[deblur]\nmemry = "2GB"\n', "deblur.memry: no such option; did you mean memory?"),
        ("[deblur]\nmemory = 2\n", "--memory: got '2' without a unit; did you mean 2GB? Bytes are 2B (from "),
        ('[deblur]\ntile = "x"\n', "lfdeblur.toml)"),
        ("[deblur\n", "not a readable TOML file"),
        ('memory = "2GB"\n', "memory: got '2GB', want a table of options, as [deblur]"),
        ("deblur = 2\n", "deblur: got 2, want a table of options"),
        ("[deblur.memory]\n", "deblur.memory: got a table, want a value"),
        ('[deblur]\nimages = ["a"]\n', "deblur.images: no such option"),
        ("[deblur]\ntile = true\n", "deblur.tile: got true, want a value"),
        ('[deblur]\nmemory = ["2GB"]\n', "deblur.memory: got a list, want one value"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(run, here, text, message):
    Path("lfdeblur.toml").write_text(text)
    write_image("a.png", torch.rand(3, 8, 8))
    code, out, err = run("deblur", "a.png")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert "lfdeblur.toml" in err


def test_what_is_wrong_in_the_environment_is_told(run, here, monkeypatch):
    monkeypatch.setenv("LFDEBLUR_DEBLUR_DEVICE", "gpu")
    err = run("deblur", "a.png")[2]
    assert "did you mean cuda? (from LFDEBLUR_DEBLUR_DEVICE)" in err
    err = run("--config-file", "nowhere.toml", "deblur", "a.png")[2]
    assert "--config-file: nowhere.toml: no such file" in err


def test_one_value_of_several_and_the_mark_of_windows_editors(run, here):
    Path("lfdeblur.toml").write_text('[generate]\naperture = "disk:1"\nout = "o"\n', encoding="utf-8-sig")
    assert run("generate", "toy", "--dry-run")[0] == 0
    Path("lfdeblur.toml").write_text("[generate\n")
    code, out, _ = run("--config-file", "/dev/null", "generate", "toy", "--out", "p", "--dry-run")
    assert (code, "to p in" in out) == (0, True)


def test_misspelt_variables_are_told(run, here, monkeypatch):
    monkeypatch.setenv("LFDEBLUR_REFOCUS_DISPARTY", "1")
    monkeypatch.setenv("LFDEBLUR_REFOCUS_XYZZY", "1")
    code, _, err = run("refocus", "toy", "--out", "o", "--dry-run")
    assert code == 0
    assert err == (
        "lfdeblur: warning: LFDEBLUR_REFOCUS_DISPARTY: no such option of refocus; did you mean DISPARITY?\n"
        "lfdeblur: warning: LFDEBLUR_REFOCUS_XYZZY: no such option of refocus\n"
    )


def test_a_bad_variable_of_the_ops_is_one_line():
    words = [sys.executable, "-m", "lfdeblur", "info"]  # in a process of its own: it is read at the import
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env=os.environ | {"LFDEBLUR_BACKEND": "x"}
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("lfdeblur: error: LFDEBLUR_BACKEND: got 'x', want one of ")


def test_info_tells_the_files(run, here):
    assert "built in (no lfdeblur.toml)" in run("info")[1]
    Path("lfdeblur.toml").write_text('[deblur]\nmemory = "2GB"\n')
    assert str(here / "lfdeblur.toml") in run("info")[1]


def test_no_variable_of_the_library_is_an_option_s():
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
    taken = {name.removeprefix("LFDEBLUR_") for name in re.findall(r"`(LFDEBLUR_\w+)`", text)}
    assert {"CUDA", "BACKEND", "CPU_ISA"} <= taken
    from typer.main import get_command

    group = get_command(app)
    variables = [
        parameter.envvar
        for command in (group, *group.commands.values())
        for parameter in command.params
        if isinstance(parameter.envvar, str)
    ]
    assert len(set(variables)) == len(variables) > 150
    assert {"LFDEBLUR_TRAIN_SET", "LFDEBLUR_DEPTH_CONFIDENCE", "LFDEBLUR_CONFIG_FILE"} < set(variables)
    assert not {variable.removeprefix("LFDEBLUR_") for variable in variables} & taken
