"""Help as it is read: widths, whole summaries, parts; completion; suggestions."""

import subprocess
import sys

import pytest

from lfdeblur_models.cli.commands import COMMANDS
from lfdeblur_models.cli.options import READING, device_of

ALL = [command for commands in COMMANDS.values() for command in commands]


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_help_is_as_wide_as_the_terminal(run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= columns
    assert max(map(len, out.splitlines())) > columns - 25
    assert "..." not in out.replace("[ARGS]...", "")
    said = " ".join(out.split())
    for command in ALL:
        assert f"{command.__name__} {' '.join(command.__doc__.split(chr(10) * 2)[0].split())}" in said
    assert "\x1b" not in out


def test_a_command_s_own_options_come_first(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    out = run("refocus", "-h")[1]
    own, rest = out.split(f"\n{READING}:\n")
    reading, common = rest.split("\nOf every command:\n")
    for option in ("--disparity", "--out", "--dry-run", "LF "):
        assert option in own
    for option in ("--format", "--grid", "--bayer"):
        assert option in reading
        assert option not in own
    for option in ("--quiet", "--verbose", "--help"):
        assert option in common
    assert READING not in run("deblur", "--help")[1]
    assert "env var" not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["deblr"], "No such command 'deblr'; did you mean deblur?"),
        (["view", "--out", "o"], "No such option: --out\n"),
        (["deblur", "a.png", "--memry", "2GB"], "No such option: --memry; did you mean --memory?"),
        (["deblur", "a.png", "--device", "gpu"], "--device: got 'gpu', want auto, cpu or cuda; did you mean cuda?"),
        (["deblur", "a.png", "--dtype", "fp16"], "did you mean float16?"),
        (["info", "lf", "--format", "stanfrd"], "sequence, inria, grid; did you mean stanford?"),
        (["convert", "lf", "--out", "o", "--to", "mosaik"], "did you mean mosaic?"),
        (["refocus", "lf", "--out", "o", "--aperture", "dsk:3"], "--aperture: got 'dsk:3', want disk, square"),
        (["generate", "lf", "--out", "o", "--aperture", "hexagn:3"], "hexagn"),
        (["deblur", "a.png", "--memory", "2"], "--memory: got '2' without a unit; did you mean 2GB? Bytes are 2B"),
        (["evaluate", "--data", "dppd"], "did you mean dpdd?"),
    ],
)
def test_suggestions(run, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_weights_that_ship_are_suggested(run, tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"")
    err = run("deblur", picture, "--weights", "compct", "--out", tmp_path / "out")[2]
    assert "compct: no such file of weights; did you mean compact?" in err


def complete(shell, words, **more):
    """What the shell is given for a line that is typed."""
    from os import environ

    instruction = {"bash": "complete_bash", "zsh": "complete_zsh", "fish": "complete_fish"}[shell]
    line = " ".join(words)
    told = {"_LFDEBLUR_COMPLETE": instruction, "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    told |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1]}
    told |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args"} | more
    done = subprocess.run(
        [sys.executable, "-m", "lfdeblur"], env=environ | told, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_commands_options_and_choices(shell):
    assert "deblur" in complete(shell, ["lfdeblur", "deb"])
    assert "--memory" in complete(shell, ["lfdeblur", "deblur", "--me"])
    said = complete(shell, ["lfdeblur", "info", "--format", "h"])
    assert all(name in said for name in ("hci", "h5"))
    assert "npz" not in said
    assert "stage1" in complete(shell, ["lfdeblur", "train", "--config", "st"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_shown(shell, monkeypatch):
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="lfdeblur", complete_var="_LFDEBLUR_COMPLETE", shell=shell)
    assert "_LFDEBLUR_COMPLETE" in script


def test_a_gpu_that_is_not_there(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="--device: got cuda, but PyTorch finds no GPU here"):
        device_of("cuda")


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("info", "[OPTIONS] [LF]"),
        ("view", "[OPTIONS] [PATH]..."),
        ("deblur", "[OPTIONS] IMG..."),
        ("demo", "[OPTIONS]"),
    ],
)
def test_usage(run, name, usage):
    assert run(name, "-h")[1].splitlines()[0] == f"Usage: lfdeblur {name} {usage}"
