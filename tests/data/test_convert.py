"""Many light fields into another layout: kills, broken ones, what is there already."""

import json
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from lfdeblur_models import cli
from lfdeblur_models.data import LightField, LightFieldError, OutputError, convert, read_light_field

from ..processes import started, wait_until
from .toy_scenes import plane, seen, write_scenes


def test_a_folder_of_light_fields(tmp_path):
    scenes, out = write_scenes(tmp_path / "scenes", 3), tmp_path / "out"
    made = convert([scenes], out, "npz")
    assert list(made.written) == ["scene0", "scene1", "scene2"]
    assert (made.again, made.failures) == ([], [])
    assert sorted(seen(out)) == ["scene0.npz", "scene1.npz", "scene2.npz"]
    for scene, written in made.written.items():
        assert torch.equal(read_light_field(written.path).views, read_light_field(scenes / scene).views)
        assert written.lost == ()


@pytest.mark.parametrize("layout", ["npz", "hci", "zarr", "basic-lfsr"])
def test_what_is_whole_is_not_written_again(tmp_path, layout):
    scenes, out = write_scenes(tmp_path / "scenes", 2), tmp_path / "out"
    first = convert([scenes], out, layout)

    def times():
        return {path: path.stat().st_mtime_ns for path in out.rglob("*") if ".lfdeblur" not in path.parts}

    before = times()
    again = convert([scenes], out, layout)
    assert (again.again, again.written) == (["scene0", "scene1"], first.written)
    assert times() == before
    whole = first.written["scene0"].path
    victim = whole if whole.is_file() else next(path for path in sorted(whole.rglob("*")) if path.is_file())
    victim.write_bytes(victim.read_bytes()[:-1])
    assert convert([scenes], out, layout).again == ["scene1"]
    assert convert([scenes], out, layout).again == ["scene0", "scene1"]
    assert convert([scenes], out, layout, overwrite=True).again == []


def test_other_options_replace_what_an_earlier_run_wrote(tmp_path):
    scenes, out = write_scenes(tmp_path / "scenes", 1), tmp_path / "out"
    convert([scenes], out, "views")
    made = convert([scenes], out, "views", bits=16)
    assert made.again == []
    assert read_light_field(out / "scene0").dtype == torch.uint16
    convert([scenes], out, "hci")  # the same name
    assert read_light_field(out / "scene0").format == "hci"


def test_light_fields_in_memory_are_always_written(tmp_path):
    convert([plane(1)], tmp_path, "h5")
    other = plane(1, seed=2)
    assert convert([other], tmp_path, "h5").again == []
    assert torch.equal(read_light_field(tmp_path / "plane.h5").views, other.views)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_broken_light_field_does_not_stop_the_rest(tmp_path, workers):
    scenes, out = write_scenes(tmp_path / "scenes", 3), tmp_path / "out"
    victim = scenes / "scene1" / "view_01_01.png"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-60])
    made = convert([scenes], out, "mosaic", workers=workers)
    assert list(made.written) == ["scene0", "scene2"]
    (failure,) = made.failures
    assert failure["scene"] == "scene1"
    assert "view_01_01.png: truncated or damaged" in failure["error"]
    assert not any("scene1" in name for name in seen(out))
    victim.write_bytes(whole)  # mended: the next run takes it in
    made = convert([scenes], out, "mosaic")
    assert (made.again, made.failures) == (["scene0", "scene2"], [])


def test_what_a_layout_cannot_hold_is_a_failure_of_that_light_field(tmp_path):
    field = LightField(torch.rand(3, 3, 3, 4, 4), scene="float")
    made = convert([plane(1), field], tmp_path, "hci")
    assert list(made.written) == ["plane"]
    said = made.failures[0]["error"]
    assert said.startswith(
        "hci holds 8 or 16 bits, got views of torch.float32 in srgb: round them with bits 16 or 8, or write"
    )
    assert convert([field], tmp_path, "hci", bits=16).failures == []


def test_files_of_others_stay(tmp_path):
    scenes, out = write_scenes(tmp_path / "scenes", 3), tmp_path / "out"
    for folder in (out / "scene0", out / "scene1"):
        folder.mkdir(parents=True)
    (out / "scene0" / "notes.txt").write_text("mine")
    (out / "scene1" / "input_Cam000.png").write_text("mine")
    made = convert([scenes], out, "hci")
    assert list(made.written) == ["scene2"]
    said = f"{out / 'scene0'}: is there already, and not from this command; --overwrite replaces it"
    assert made.failures[0]["error"] == said
    made = convert([scenes], out, "hci", overwrite=True)
    assert list(made.written) == ["scene1", "scene2"]
    assert "it holds notes.txt, which is none of the results" in made.failures[0]["error"]
    assert (out / "scene0" / "notes.txt").read_text() == "mine"
    (out / "scene2" / "notes.txt").write_text("mine")
    assert "holds notes.txt" in convert([scenes], out, "hci", bits=16).failures[-1]["error"]


def test_a_light_field_is_not_replaced_by_itself(tmp_path):
    """The output folder is where the light field lies: its own name is taken."""
    scenes = write_scenes(tmp_path / "scenes", 1)
    before = seen(scenes)
    assert "is there already" in convert([scenes / "scene0"], scenes, "views").failures[0]["error"]
    assert seen(scenes) == before


def test_calls_that_cannot_be_meant(tmp_path):
    with pytest.raises(LightFieldError, match="layout: got 'raw', want one of hci, views"):
        convert([plane(1)], tmp_path, "raw")
    for told in ({"bits": 9}, {"encode": "gamma"}):
        with pytest.raises(LightFieldError, match=f"{next(iter(told))}: got"):
            convert([plane(1)], tmp_path / "out", "npz", **told)
        assert not (tmp_path / "out").exists()
    with pytest.raises(OutputError, match="want a folder on this machine"):
        convert([plane(1)], "memory://out", "npz")
    with pytest.raises(ValueError, match="workers: got 0"):
        convert([plane(1)], tmp_path, "npz", workers=0)
    with pytest.raises(LightFieldError, match="two scenes are called 'plane'"):
        convert([plane(1), plane(1)], tmp_path, "npz")
    with pytest.raises(LightFieldError, match="nowhere: no such file or folder"):
        convert([tmp_path / "nowhere"], tmp_path, "npz")


COMMAND = [sys.executable, "-W", "ignore", "-m", "lfdeblur_models.cli", "convert"]


@pytest.mark.parametrize(
    ("layout", "workers"), [("hci", 1), pytest.param("npz", 2, marks=pytest.mark.slow)], ids=["folders", "files"]
)
def test_killed_and_run_again(tmp_path, capsys, layout, workers):
    """kill -9 once the first is there: what has a final name is whole, and the same command does the rest."""
    scenes, out = write_scenes(tmp_path / "scenes", 6, h=160, w=160), tmp_path / "out"
    arguments = [str(scenes), f"--to={layout}", "--out"]
    quiet = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
    with started([*COMMAND, *arguments, out, f"--workers={workers}"], **quiet) as process:
        wait_until(lambda: list(out.glob("scene*")), process)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    there = sorted(path.name for path in out.glob("scene*"))
    assert 1 <= len(there) <= 6
    for name in there:
        assert torch.equal(read_light_field(out / name).views, read_light_field(scenes / name.split(".")[0]).views)
    with pytest.raises(SystemExit) as ended:
        cli.main(["convert", *arguments, str(out)])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"6 light fields as {layout} in {out}, of which ")
    for index in range(6):
        path = next(out.glob(f"scene{index}*"))
        assert torch.equal(read_light_field(path).views, read_light_field(scenes / f"scene{index}").views)
    assert not list((out / ".lfdeblur").glob("unfinished/*"))


@pytest.mark.parametrize("layout", ["hci", "npz"])
@pytest.mark.parametrize("moment", ["before it is moved", "before it is remembered"])
def test_killed_while_an_old_one_is_replaced(tmp_path, monkeypatch, layout, moment):
    """Whatever the moment, the next run knows that the place is its own, and that what is there is not the new one."""
    from lfdeblur_models.data.generation.storage import LocalFolder

    scenes, out = write_scenes(tmp_path / "scenes", 1), tmp_path / "out"
    convert([scenes], out, layout)
    put, puts = LocalFolder.put, []

    def killed(self, name, data):
        puts.append(json.loads(data)["sizes"])
        if len(puts) == (1 if moment == "before it is moved" else 2):
            if moment == "before it is moved":
                put(self, name, data)
            raise KeyboardInterrupt
        put(self, name, data)

    monkeypatch.setattr(LocalFolder, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        convert([scenes], out, layout, bits=16)
    monkeypatch.setattr(LocalFolder, "put", put)
    assert puts[0] == {}
    made = convert([scenes], out, layout, bits=16)
    assert (made.again, made.failures) == ([], [])
    assert read_light_field(made.written["scene0"].path).dtype == torch.uint16
    assert convert([scenes], out, layout, bits=16).again == ["scene0"]


def test_the_record_of_a_folder_that_was_removed(tmp_path):
    scenes, out = write_scenes(tmp_path / "scenes", 1), tmp_path / "out"
    convert([scenes], out, "hci")
    shutil.rmtree(out / "scene0")
    assert convert([scenes], out, "hci").again == []
    assert (out / "scene0" / "parameters.cfg").is_file()
