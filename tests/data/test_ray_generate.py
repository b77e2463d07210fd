"""``generate`` on a local Ray cluster of several processes."""

import json
import sys

import pytest

from lfdeblur_models import cli
from lfdeblur_models.data import Aperture, Noise, OnRay, Recipe, generate
from lfdeblur_models.io.errors import OutputError

from .toy_scenes import tree, write_scenes

pytestmark = pytest.mark.slow  # Ray takes seconds to start
RECIPE = Recipe((Aperture("disk", 1.0),), (-1.0, 1.0), dual_pixel=True, noise=Noise(1e-3, 1e-3), shard_scenes=1, seed=3)


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes; Ray's own start is most of what these tests take."""
    ray = pytest.importorskip("ray", exc_type=ImportError)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    yield ray
    ray.shutdown()


@pytest.mark.parametrize("layout", ["lfdof", "webdataset"])
def test_the_same_bytes_as_one_process(tmp_path, cluster, layout):
    recipe = Recipe(**{**vars(RECIPE), "layout": layout})
    scenes = write_scenes(tmp_path / "scenes", 3, h=40, w=37)
    steps = []
    made = generate([scenes], tmp_path / "ray", recipe, executor=OnRay(2), progress=lambda *done: steps.append(done))
    straight = generate([scenes], tmp_path / "straight", recipe)
    assert (made.scenes, made.pairs, made.files, made.failures) == (3, 6, straight.files, [])
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert tree(tmp_path / "ray") == tree(tmp_path / "straight")


def test_what_is_done_is_not_done_again_and_broken_scenes_are_listed(tmp_path, cluster, capsys):
    scenes, out = write_scenes(tmp_path / "scenes", 3), tmp_path / "out"
    generate([scenes / "scene0"], out, RECIPE)
    written = {file: file.stat().st_mtime_ns for file in (out / "input").rglob("*.png")}
    victim = scenes / "scene1" / "view_01_01.png"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-60])
    made = generate([scenes], out, RECIPE, executor=OnRay(2))
    assert (made.scenes, made.pairs, [failure["scene"] for failure in made.failures]) == (2, 4, ["scene1"])
    assert json.loads((out / "report.json").read_text())["failures"] == made.failures
    assert {file: file.stat().st_mtime_ns for file in written} == written
    victim.write_bytes(whole)
    options = ["--aperture", "disk:1", "--disparity=-1,1", "--dual-pixel", "--noise", "1e-3:1e-3", "--seed", "3"]
    with pytest.raises(SystemExit) as ended:
        cli.main(["generate", str(scenes), "--out", str(out), "--ray", "--shard-scenes", "1", *options])
    assert ended.value.code == 0
    assert "6 pairs of 3 scenes" in capsys.readouterr().out
    generate([scenes], tmp_path / "straight", RECIPE)
    got, want = (
        {n: d for n, d in tree(folder).items() if "/done/" not in n} for folder in (out, tmp_path / "straight")
    )
    assert got == want


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path, cluster):
    scenes, out = write_scenes(tmp_path / "scenes", 1), tmp_path / "out"
    (out / "input").mkdir(parents=True)
    (out / "input" / "scene0").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match=r"cannot write .*scene0"):
        generate([scenes], out, RECIPE, executor=OnRay())


def test_without_ray_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OutputError, match=r"ray is not installed: pip install 'lfdeblur\[ray\]'"):
        OnRay()


def test_a_bad_number_of_tasks_is_named():
    with pytest.raises(ValueError, match="workers: got 0, want at least 1"):
        OnRay(0)
