"""``lfdeblur depth``, and what the other commands take from it."""

import json

import pytest
import torch

from lfdeblur_models.data import LightField, read_light_field, read_pfm
from lfdeblur_models.drawing.colour_map import UNSURE
from lfdeblur_models.io.images import read_image
from tests.data.depth.layered_scene import square_before_wall
from tests.data.toy_scenes import write_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return write_scene(tmp_path_factory.mktemp("scenes") / "layers", square_before_wall(size=72)[0])


def test_depth_writes_all_it_says(run, scene, tmp_path):
    code, out, error = run("depth", scene, "--out", tmp_path / "d", "--points", "--camera", "0.1,500,inf")
    assert (code, error) == (0, "")
    names = {file.name for file in (tmp_path / "d").iterdir()}
    assert names == {
        "confidence.png", "depth.json", "depth.pfm", "disparity.pfm", "disparity.png", "disparity_coloured.png",
        "points.ply",
    }  # fmt: skip
    assert all(name in out for name in names)
    disparity = read_pfm(tmp_path / "d" / "disparity.pfm")
    facts = json.loads((tmp_path / "d" / "depth.json").read_text())
    picture = read_image(tmp_path / "d" / "disparity.png")[0][0].double()
    low, high = facts["disparity.png"]["0"], facts["disparity.png"]["65535"]
    assert (picture / 65535 * (high - low) + low - disparity).abs().max() < 1e-4
    assert disparity[36, 36] == pytest.approx(1.5, abs=0.05)
    depth = read_pfm(tmp_path / "d" / "depth.pfm")
    assert depth[36, 36] == pytest.approx(50 / 1.5, rel=0.05)
    assert torch.isinf(depth[10, 10])  # disparity below 0, which is infinity here
    assert facts["depth"]["unit"] == "m"
    assert facts["camera"]["focus"] is None


def test_depth_without_a_camera_says_so(run, scene, tmp_path):
    code, out, _ = run("depth", scene, "--out", tmp_path)
    assert code == 0
    assert "no depth in metres" in out
    assert not (tmp_path / "depth.pfm").exists()


def test_limits_that_do_not_cover_the_scene_are_told(run, scene, tmp_path):
    code, _, error = run("depth", scene, "--out", tmp_path, "--limits", "0:0.5")
    assert code == 0
    assert "lie on the lower limit of 0" in error
    assert "lie on the upper limit of 0.5" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--limits", "1"), "--limits: got '1', want LOW:HIGH"),
        (("--limits", "2:1"), "--limits: got '2:1', want LOW:HIGH"),
        (("--camera", "1,2"), "camera: got '1,2', want BASELINE,FOCAL,FOCUS"),
        (("--device", "gpu"), "--device: got 'gpu'"),
        (("--views", "1"), "a single view has no disparity"),
    ],
)
def test_bad_options_of_depth(run, scene, tmp_path, options, message):
    code, _, error = run("depth", scene, "--out", tmp_path / "d", *options)
    assert code == 2
    assert message in error
    assert not (tmp_path / "d").exists()


def test_refocus_finds_its_planes(run, scene, tmp_path):
    code, out, _ = run("refocus", scene, "--out", tmp_path / "a")
    assert code == 0
    assert out.startswith("9 planes")
    code, out, _ = run("refocus", scene, "--out", tmp_path / "b", "--disparity", "auto:2")
    assert code == 0
    planes = sorted(float(file.stem.partition("_d")[2]) for file in (tmp_path / "b").glob("plane_*.png"))
    assert planes == pytest.approx([-1, 1.5], abs=0.3)
    code, out, _ = run("refocus", scene, "--out", tmp_path / "c", "--at", "36,36")
    assert code == 0
    assert out.startswith("1 plane,")
    (plane,) = (tmp_path / "c").glob("plane_*.png")
    assert float(plane.stem.partition("_d")[2]) == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--at", "1,2", "--disparity", "1"), "got --disparity and --at, want one of them"),
        (("--at", "1,2", "--all-in-focus"), "got --at and --all-in-focus, want one of them"),
        (("--at", "a,b"), "--at: got 'a,b', want X,Y"),
        (("--at", "72,0"), "at: got 72,0, want a pixel of the 72x72"),
        (("--disparity", "auto:0"), "want auto:COUNT with a count from 1"),
        (("--disparity", "auto:x"), "want auto:COUNT"),
    ],
)
def test_bad_focus(run, scene, tmp_path, options, message):
    code, _, error = run("refocus", scene, "--out", tmp_path / "r", *options)
    assert code == 2
    assert message in error
    assert not (tmp_path / "r").exists()


def test_info_tells_the_range_it_sees(run, scene, tmp_path):
    _, out, _ = run("info", scene, "--out", tmp_path)
    assert "pixels per view step (estimated" in out


def test_an_aperture_wider_than_the_views_is_told(run, scene, tmp_path):
    for aperture, told in (("disk:3.5", False), ("disk:3.6", True), ("square:9", True)):
        code, _, error = run("refocus", scene, "--out", tmp_path, "--disparity", "0", "--aperture", aperture)
        assert code == 0
        assert ("is wider than the 7x7 views" in error) == told


def test_the_picture_of_a_small_field_is_enlarged(run, tmp_path):
    small = write_scene(tmp_path / "small", square_before_wall(size=24)[0])
    assert run("depth", small, "--out", tmp_path / "d", "--limits", "-2:2")[0] == 0
    picture = read_image(tmp_path / "d" / "disparity_coloured.png")[0]
    assert picture.shape[2] >= 320  # the legend's words fit
    assert torch.equal(picture[:, 0, 0], picture[:, 13, 13])


def test_one_limit_is_no_limit_that_the_scene_goes_beyond(run, scene, tmp_path):
    code, _, error = run("depth", scene, "--out", tmp_path, "--limits", "0:0")
    assert code == 0
    assert "goes on beyond" not in error


def test_limits_too_far_apart_are_told(run, scene, tmp_path):
    code, _, error = run("depth", scene, "--out", tmp_path, "--limits", "-1000:1000")
    assert code == 0
    assert "planes from -1000 to 1000 are 31.2 pixels apart in the outermost views" in error


def test_what_is_black_is_grey(run, tmp_path):
    field, _ = square_before_wall(size=96)
    views = field.views.clone()
    views[..., :12, :12] = 0  # the camera's round window leaves such corners
    corners = write_scene(tmp_path / "corners", field.copy(views=views))
    assert run("depth", corners, "--out", tmp_path / "d", "--limits", "-2:2")[0] == 0
    picture = read_image(tmp_path / "d" / "disparity_coloured.png")[0]
    times = round(picture.shape[2] / 96)
    assert picture[:, 4 * times, 4 * times].tolist() == list(UNSURE)
    assert picture[:, 48 * times, 48 * times].tolist() != list(UNSURE)


@pytest.mark.parametrize("arguments", [("depth",), ("refocus",), ("refocus", "--all-in-focus")])
def test_a_field_without_parallax_is_refused(run, scene, tmp_path, arguments):
    center = read_light_field(scene).center
    same = write_scene(tmp_path / "same", LightField(center.expand(3, 3, -1, -1, -1)))
    code, _, error = run(arguments[0], same, *arguments[1:], "--out", tmp_path / "out")
    assert code == 2
    assert "no parallax" in error
    assert not (tmp_path / "out").exists()
