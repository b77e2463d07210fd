"""The generator when something goes wrong: broken scenes, kills, full disks, two runs at once."""

import errno
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import torch

from lfdeblur_models import cli
from lfdeblur_models.data import (
    Aperture,
    LightField,
    Recipe,
    generate,
)
from lfdeblur_models.io.errors import OutputError

from ..processes import started, wait_until
from .toy_scenes import SMALL, plane, seen, tree, write_scenes


@pytest.mark.parametrize(
    ("workers", "layout"),
    [
        (workers, layout) if workers == 1 else pytest.param(workers, layout, marks=pytest.mark.slow)
        for workers in (1, 2)
        for layout in ("lfdof", "webdataset")
    ],
)
def test_a_broken_scene_does_not_stop_the_rest(tmp_path, layout, workers):
    scenes, out = write_scenes(tmp_path / "scenes", 3), tmp_path / "out"
    victim = scenes / "scene1" / "view_01_01.png"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-60])
    recipe = Recipe(SMALL.apertures, SMALL.disparities, layout=layout, shard_scenes=2)
    made = generate([scenes], out, recipe, workers=workers)
    assert (made.scenes, made.pairs) == (2, 4)
    (failure,) = json.loads((out / "report.json").read_text())["failures"]
    assert made.failures == [failure]
    assert failure["scene"] == "scene1"
    assert "view_01_01.png: truncated or damaged" in failure["error"]
    assert pq.read_table(out / "manifest.parquet")["scene"].to_pylist() == ["scene0"] * 2 + ["scene2"] * 2
    assert not any("scene1" in name for name in seen(out))
    victim.write_bytes(whole)  # mended: the next run takes it in
    assert generate([scenes], out, recipe).failures == []
    generate([scenes], tmp_path / "straight", recipe)
    assert tree(out) == tree(tmp_path / "straight")


def test_scenes_that_cannot_be_rendered_are_reported(tmp_path):
    flat = LightField(torch.full((3, 3, 1, 24, 24), 7, dtype=torch.uint8), scene="flat")
    made = generate([flat, plane(1)], tmp_path, Recipe((Aperture("disk", 1),), planes=1))
    assert made.scenes == 1
    assert "nothing but flat areas" in made.failures[0]["error"]
    assert not any("flat" in name for name in seen(tmp_path))


COMMAND = [sys.executable, "-W", "ignore", "-m", "lfdeblur_models.cli", "generate"]
OPTIONS = ("--aperture", "disk:1", "--disparity=-1:1:3", "--dual-pixel", "--shard-scenes=1")


@pytest.mark.parametrize(
    ("workers", "layout", "pattern", "count"),
    [
        pytest.param(1, "lfdof", "*.png", 5, id="in a scene"),
        pytest.param(1, "lfdof", "*.png", 20, id="scenes later", marks=pytest.mark.slow),
        pytest.param(2, "webdataset", "*.tar", 1, id="after a shard", marks=pytest.mark.slow),
        pytest.param(2, "webdataset", "*.tar", 2, id="shards later", marks=pytest.mark.slow),
    ],
)
def test_killed_and_run_again(tmp_path, capsys, workers, layout, pattern, count):
    """kill -9 of the command alone: its workers end by themselves."""
    scenes, out = write_scenes(tmp_path / "scenes", 4, h=150, w=150), tmp_path / "out"
    arguments = [str(scenes), *OPTIONS, f"--layout={layout}", "--out"]
    quiet = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
    with started([*COMMAND, *arguments, out, f"--workers={workers}"], **quiet) as process:
        wait_until(lambda: len(list(out.rglob(pattern))) >= count, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
    for name, data in seen(out).items():  # whatever has a final name is whole
        assert not name.endswith(".png") or data.endswith(b"IEND\xaeB`\x82")
        if name.endswith(".tar"):
            assert len(data) % 10240 == 0
            assert data.endswith(bytes(1024))
    for folder in (out, tmp_path / "straight"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["generate", *arguments, str(folder), "--workers=1"])
        assert ended.value.code == 0, capsys.readouterr().err
    rows = pq.read_table(out / "manifest.parquet")["key"].to_pylist()
    assert len(rows) == len(set(rows)) == 12
    assert tree(out) == tree(tmp_path / "straight")


@pytest.mark.parametrize("layout", ["lfdof", "webdataset"])
def test_a_full_disk(tmp_path, capsys, layout):
    """A limit on the size of files stands in for a full disk: writing fails half way through a picture or shard."""
    scenes, out = write_scenes(tmp_path / "scenes", 1, h=200, w=200), tmp_path / "out"

    def run():
        with pytest.raises(SystemExit) as ended:
            cli.main(["generate", str(scenes), "--out", str(out), *shape, f"--layout={layout}"])
        return ended.value.code, capsys.readouterr().err

    shape = ("--aperture", "disk:1", "--disparity", "0")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        code, error = run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 2
    assert error.startswith("lfdeblur: error: cannot write ")
    assert os.strerror(errno.EFBIG) in error
    assert error.count("\n") == 1
    assert not [file for file in out.rglob("*") if file.suffix in (".png", ".tar", ".jpg")]
    assert run()[0] == 0


@pytest.mark.slow
def test_a_worker_that_is_killed_is_one_error(tmp_path):
    """As the kernel does when memory runs out."""
    scenes, out = write_scenes(tmp_path / "scenes", 3, h=150, w=150), tmp_path / "out"
    recipe = Recipe(SMALL.apertures, tuple(i / 8 for i in range(4)))

    def kill(*_):
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(OutputError, match="a worker process was killed"):
        generate([scenes], out, recipe, workers=2, progress=kill)
    assert generate([scenes], out, recipe).scenes == 3
    generate([scenes], tmp_path / "straight", recipe)
    assert tree(out) == tree(tmp_path / "straight")


def test_two_runs_at_once_are_refused(tmp_path):
    from lfdeblur_models.data.generation.storage import LocalFolder

    with LocalFolder(tmp_path / "out").alone(), pytest.raises(OutputError, match="another run is writing there"):
        generate([plane(1)], tmp_path / "out", SMALL)
