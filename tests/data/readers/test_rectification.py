"""Homographies of a calibration file, undone as the views are read."""

import json

import numpy as np
import pytest
import torch

from lfdeblur_models.data import LightFieldError, read_light_field

from ..two_planes import FAR, GRID, irregular, psnr, texture
from .light_field_files import fails, random_views, write_views

HEIGHT, WIDTH = 60, 72


def name(row, column):
    return f"view_{row}_{column}.png"


def homographies(seed=0, strength=1.0):
    """Of cameras that are a little turned, shifted, nearer or askew; rectified to pictured pixels."""
    rng = np.random.default_rng(seed)
    found = np.empty((*GRID, 3, 3))
    for place in np.ndindex(*GRID):
        turn, scale = strength * rng.uniform(-0.03, 0.03), 1 + strength * rng.uniform(-0.02, 0.02)
        c, s = scale * np.cos(turn), scale * np.sin(turn)
        shift, askew = strength * rng.uniform(-3, 3, 2), strength * rng.uniform(-1e-4, 1e-4, 2)
        found[place] = [[c, -s, shift[0]], [s, c, shift[1]], [*askew, 1]]
        found[place] *= rng.choice([-2.0, 0.5, 3.0])  # a homography means the same times any number
    return found


def seen(y, x, v, u):
    """What a wall looks like from a camera."""
    return texture(y + FAR * v, x + FAR * u, 5)


def pictures(matrices):
    """A wall, as cameras that are not rectified take it."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    views = np.empty((*GRID, 1, HEIGHT, WIDTH))
    for place in np.ndindex(*GRID):
        v, u = place[0] - GRID[0] // 2, place[1] - GRID[1] // 2
        back = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(matrices[place]).T
        views[place] = seen(back[..., 1] / back[..., 2], back[..., 0] / back[..., 2], v, u)
    return torch.from_numpy(np.rint(views.clip(0, 1) * 255).astype(np.uint8))


@pytest.fixture
def array(tmp_path):
    """A folder of pictures, and the calibration file beside it."""
    matrices = homographies()
    write_views(tmp_path / "field", pictures(matrices), name)
    np.savez(tmp_path / "calibration.npz", homographies=matrices)
    (tmp_path / "calibration.json").write_text(json.dumps({"homographies": matrices.tolist()}))
    return tmp_path


@pytest.mark.parametrize("kind", ["npz", "json"])
def test_homographies_are_undone(array, kind):
    field = read_light_field(array / "field", calibration=array / f"calibration.{kind}")
    assert field.lazy
    assert field.metadata["calibration"].endswith(f"calibration.{kind}")
    want = pictures(np.broadcast_to(np.eye(3), (*GRID, 3, 3)))
    inside = (..., slice(8, -8), slice(8, -8))
    before = psnr(read_light_field(array / "field").views[inside], want[inside])
    after = psnr(field.views[inside], want[inside])
    assert before < 25
    assert after > 42


def test_a_window_has_the_pixels_of_the_whole(array):
    told = {"calibration": array / "calibration.npz"}
    whole = read_light_field(array / "field", **told).views
    part = read_light_field(array / "field", rows=slice(1, 3), columns=slice(2, 5), crop=(5, 40, 20, 32), **told)
    assert part.shape[3:] == (20, 32)
    assert (part.views.int() - whole[1:3, 2:5, :, 5:25, 40:72].int()).abs().max() <= 1  # places are rounded otherwise
    assert torch.equal(read_light_field(array / "field", views=3, **told).views, whole[1:4, 1:4])


def test_the_identity_changes_nothing(tmp_path):
    for dtype in (torch.uint8, torch.uint16):
        views = random_views(*GRID, h=20, w=24, dtype=dtype)
        write_views(tmp_path / str(dtype), views, name)
        np.savez(tmp_path / "none.npz", homographies=np.broadcast_to(-2 * np.eye(3), (*GRID, 3, 3)))
        got = read_light_field(tmp_path / str(dtype), calibration=tmp_path / "none.npz")
        assert torch.equal(got.views.int(), views.int())


def test_positions_of_the_cameras(array):
    positions = irregular(3)
    np.savez(array / "placed.npz", homographies=homographies(), positions=positions.numpy() * 40)
    field = read_light_field(array / "field", calibration=array / "placed.npz")
    torch.testing.assert_close(field.positions, positions, atol=0.2, rtol=0.1)
    assert read_light_field(array / "field", calibration=array / "calibration.npz").positions is None


def test_bad_calibration_is_one_line(array):
    good, path = homographies(), array / "field"

    def told(**held):
        np.savez(array / "bad.npz", **held)
        return {"calibration": array / "bad.npz"}

    fails("bad.npz holds no 'homographies'", path, **told(other=good))
    fails("got shape [4, 5, 3, 3], want [5, 5, 3, 3] as the grid of views", path, **told(homographies=good[1:]))
    flat = good.copy()
    flat[2, 3] = [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    fails("the homography of row 2, column 3 is singular", path, **told(homographies=flat))
    flat[2, 3] = [[1, 0, 0], [0, 1, 0], [-0.02, 0, 1]]
    fails("row 2, column 3 takes a part of the picture beyond the horizon", path, **told(homographies=flat))
    flat[2, 3] = np.nan
    fails("homographies: holds NaN or infinite values", path, **told(homographies=flat))
    fails("positions: got shape [5, 5, 3]", path, **told(homographies=good, positions=np.zeros((5, 5, 3))))
    (array / "bad.json").write_text('{"homographies": [[[1, 2], [3]]]}')
    fails("homographies: want numbers of shape [5, 5, 3, 3]", path, calibration=array / "bad.json")
    (array / "bad.json").write_text('{"homographies": [1' + 400 * "0" + "]}")
    fails("homographies: want numbers of shape [5, 5, 3, 3]", path, calibration=array / "bad.json")
    for text in ("[1", 100_000 * "["):
        (array / "bad.json").write_text(text)
        fails("bad.json cannot be read as JSON or NPZ", path, calibration=array / "bad.json")
    fails("calibration: ", path, calibration=array / "missing.npz")
    (array / "bad.json").write_text("[]")
    with pytest.raises(LightFieldError, match="holds a list, want an object with 'homographies'"):
        read_light_field(path, calibration=array / "bad.json")
