"""``lfdeblur evaluate --data stack``: the real pairs that ship, and what the weights that ship do to them."""

import json

import pytest
import torch

from lfdeblur_models.evaluation.disk_blur import disk_blurred
from lfdeblur_models.evaluation.metrics import psnr
from lfdeblur_models.evaluation.picture_sets import SHIPPED_STACK, STACK, PictureSet

from .score_files import scores

FACTS = json.loads((SHIPPED_STACK / "facts.json").read_text())


def test_shipped_weights_restore_real_defocus(run, tmp_path):
    code, said, err = run("--data", "stack", "--out", tmp_path)
    assert (code, err) == (0, "")
    assert f"{len(FACTS)} of {len(FACTS)} pictures evaluated" in said
    found = scores(tmp_path)
    gains = [found["published", name, "gain"] for name in FACTS]
    assert found["published", "mean", "gain"]["psnr"] > 1.5
    assert found["published", "mean", "gain"]["features"] > 0.05
    assert min(gain["psnr"] for gain in gains) > -1


def test_each_truth_under_its_disk_is_its_input():
    scenes = PictureSet(STACK, None)
    assert sorted(scenes.names) == sorted(FACTS)
    inner = slice(10, -10)  # what lies beyond a crop's border blurs into it
    for name, scene in zip(scenes.names, (scenes[i] for i in range(len(scenes))), strict=True):
        blurred = disk_blurred(scene.sharp, FACTS[name]["radius"])
        blurred, given = (picture[None, :, inner, inner] for picture in (blurred, scene.defocused))
        # To a decibel: here the truth has 8 bits, was halved after it was placed and is clipped where it is brightest.
        assert float(psnr(blurred, given)) > FACTS[name]["explained_db"] - 1.5, name
        assert float(psnr(blurred, given)) > float(psnr(scene.sharp[None, :, inner, inner], given)), name


@pytest.mark.parametrize("kind", ["folders", "dpdd", "disk-blur"])
def test_other_kinds_want_a_folder(run, tmp_path, kind):
    code, _, err = run("--data", kind, "--out", tmp_path / "out")
    assert code == 2
    assert f"--root: missing; {kind} is a folder of yours" in err
    assert not (tmp_path / "out").exists()


def test_shipped_pictures_are_small():
    files = [path for path in SHIPPED_STACK.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 4 << 20
    assert {"LICENSE.md", "SOURCE.md"} <= {path.name for path in files}
    assert torch.isfinite(PictureSet(STACK, None)[0].defocused).all()
