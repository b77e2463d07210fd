"""Raw pictures, simulated from known light fields, decoded and held against the truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lfdeblur_models.data import CAMERAS, LightField, read_light_field, simulate_capture, write_capture
from lfdeblur_models.data.lenslets.simulate import Rays
from lfdeblur_models.io.images import read_image, write_image
from lfdeblur_ops.testing import FEW_ROUNDINGS, MANY_ROUNDINGS

from ...data_paths import data_folder
from . import captures
from .captures import F01, ILLUM, QUIET, SIDE, SQUARE, VIEWS, inner, parallax, places, psnr, truth, view_grid, written

ENOUGH = 32.0  # dB
FIRST_NOISE = (2e-5, 2e-4)  # a sensor's at its lowest sensitivity, several exposures averaged


@pytest.mark.parametrize("disparity", [-0.3, 0.5])
@pytest.mark.parametrize("camera", [F01, ILLUM, SQUARE], ids=["f01", "illum", "square"])
def test_views_are_those_of_the_scene(tmp_path, camera, disparity):
    path = tmp_path / "a.lfp"
    capture = written(path, camera, disparity, FIRST_NOISE)
    field = read_light_field(path)
    odd = {10.0: 11, 20 / 1.4: 15, 11.3: 11}[camera.pitch]
    assert (field.format, field.transfer, field.dtype, field.grid) == ("lfp", "linear", torch.float32, (odd, odd))
    assert field.lazy
    sampling = view_grid(camera, field.grid)
    assert field.size == sampling.size
    want = truth(sampling, capture, disparity)
    used = field.weights.numpy() > 0
    assert not used[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert used[odd // 2].all()
    assert 0.6 < used.mean() < 0.9
    got = field.views.numpy()
    assert psnr(inner(got)[used], inner(want)[used]) >= ENOUGH
    each = [psnr(inner(a), inner(b)) for a, b in zip(got[used], want[used], strict=True)]
    assert min(each) >= ENOUGH - 4
    turned = psnr(inner(got)[used], inner(want)[::-1, ::-1][used])
    assert turned < ENOUGH - 8  # the views are in the right order
    # How far the scene moves from view to view, and the way it does.
    step = disparity * VIEWS / odd / (capture.scale * sampling.pixel)
    assert parallax(got) == pytest.approx([step, step], abs=0.05)


def test_a_nearer_plane_has_the_greater_disparity(tmp_path):
    found = []
    for disparity in (-0.4, 0.0, 0.4):
        written(tmp_path / "a.lfr", replace(ILLUM, size=(300, 320)), disparity)
        found.append(np.mean(parallax(read_light_field(tmp_path / "a.lfr").views)))
    assert found[0] < -0.1 < found[1] < 0.1 < found[2]


def test_noise_of_a_real_exposure_is_all_that_is_lost(tmp_path):
    """F01's matrix makes it three times as loud; in the camera's own colours it is that of the sensor."""
    shot, read = 0.0002, 0.001
    capture = written(tmp_path / "a.lfp", F01, 0.0, (shot, read))
    quiet = written(tmp_path / "b.lfp", F01, 0.0)
    views = [read_light_field(tmp_path / name, colours="camera").views[5, 5].double() for name in ("a.lfp", "b.lfp")]
    assert capture.scale == quiet.scale
    spread = float(inner(views[0] - views[1]).std())
    assert 0.2 * np.sqrt(shot * 0.5) < spread < 1.5 * np.sqrt(shot * 0.5)


def test_colours_of_the_metadata_come_back(tmp_path):
    colour = torch.tensor([0.6, 0.35, 0.2])
    even = LightField(colour[:, None, None].expand(3, 3, 3, 24, 24).contiguous(), transfer="linear", scene="even")
    for camera in (F01, ILLUM, replace(SQUARE, bayer="GBRG")):
        write_capture(simulate_capture(even, camera, noise=(0.0002, 0.001)), tmp_path / "a.lfp")
        field = read_light_field(tmp_path / "a.lfp")
        middle = field.views[field.grid[0] // 2, field.grid[1] // 2]
        error = middle.std((1, 2)) / middle[0].numel() ** 0.5
        # One part in a hundred of the exposure itself: what is fully lit is known from some pixels.
        assert (middle.mean((1, 2)) - colour).abs().max() <= 4 * error.max() + 0.013 * colour.max()
        ratio = middle.mean((1, 2)) / middle.mean((1, 2))[1]
        torch.testing.assert_close(ratio, colour / colour[1], rtol=0.01, atol=float(6 * error.max()))


def test_burnt_out_parts_are_white(tmp_path):
    bright = LightField(torch.ones(3, 3, 3, 24, 24), transfer="linear")
    capture = simulate_capture(bright, F01, noise=QUIET)
    write_capture(replace(capture, raw=np.full_like(capture.raw, F01.white)), tmp_path / "a.lfp")
    views = read_light_field(tmp_path / "a.lfp").views
    assert (
        float(inner(views[5, 5]).min()) > 0.98
    )  # the middle of a lenslet is a little brighter than what counts as fully lit


def test_broken_pixels_leave_no_trace(tmp_path):
    capture = written(tmp_path / "whole.lfp", F01)
    rng = np.random.default_rng(1)
    raw, white = capture.raw.copy(), capture.white.copy()
    for picture in (raw, white):
        for level in (0, F01.white):
            y, x = (rng.integers(10, side - 10, 60) for side in picture.shape)
            picture[y, x] = level
    write_capture(replace(capture, raw=raw, white=white), tmp_path / "broken.lfp")
    whole, broken = (read_light_field(tmp_path / f"{name}.lfp").views[5, 5] for name in ("whole", "broken"))
    assert psnr(inner(whole), inner(broken)) > 38
    assert float((inner(whole) - inner(broken)).abs().max()) < 0.3


def test_a_window_has_the_values_of_the_whole(tmp_path):
    for camera in (F01, SQUARE):
        written(tmp_path / "a.lfp", camera, noise=(0.0002, 0.001))
        whole = read_light_field(tmp_path / "a.lfp")
        part = read_light_field(tmp_path / "a.lfp", views=3, crop=(5, 9, 20, 17))
        assert part.shape == (3, 3, 3, 20, 17)
        kept = whole.crop_views(3, 3)
        torch.testing.assert_close(part.views, kept.views[..., 5:25, 9:26], rtol=0, atol=FEW_ROUNDINGS)
        torch.testing.assert_close(part.weights, kept.weights)
    assert read_light_field(tmp_path / "a.lfp", lenslet=5).grid == (5, 5)


@pytest.mark.parametrize("hexagonal", [False, True], ids=["square", "hexagonal"])
@pytest.mark.parametrize("bayer", [None, "GRBG"], ids=["grey", "bayer"])
def test_a_camera_of_ones_own(tmp_path, bayer, hexagonal):
    """Pictures in a folder; the pitch is found."""
    camera = replace(CAMERAS["lab"], size=(420, 480), pitch=11.4, hexagonal=hexagonal, offset=(1.2, 3.4), bayer=bayer)
    capture = written(tmp_path / "lab", camera, 0.4, FIRST_NOISE)
    field = read_light_field(tmp_path / "lab", bayer=bayer, lenslet=9)
    assert field.format == "raw-lenslet"
    assert field.metadata["lenslets"] == ("hexagonal" if hexagonal else "square")
    assert field.metadata["lenslet_pitch"] == pytest.approx(11.4, abs=0.01)
    assert field.shape[2] == (1 if bayer is None else 3)
    views = field.views.double()
    assert 0 <= views.min() <= views.max() <= 1
    step = 0.4 * VIEWS / 9 / (capture.scale * (np.sqrt(3) / 2 if hexagonal else 1))
    assert parallax(views) == pytest.approx([step, step], abs=0.05)


def test_a_white_picture_elsewhere_is_told(tmp_path):
    camera = replace(CAMERAS["lab"], size=(300, 320))
    written(tmp_path / "lab", camera)
    expected = read_light_field(tmp_path / "lab").views
    (tmp_path / "lab" / "white.png").rename(tmp_path / "flat.png")
    field = read_light_field(tmp_path / "lab" / "capture.png", white=tmp_path / "flat.png", pitch=12.0)
    assert field.format == "raw-lenslet"
    assert field.metadata["dark"] == "dark.png"
    torch.testing.assert_close(field.views, expected, rtol=0, atol=FEW_ROUNDINGS)


@pytest.mark.parametrize("bayer", [None, "GRBG"], ids=["grey", "bayer"])
def test_hexagons_that_stand_on_end(tmp_path, bayer):
    """A camera turned by 90 degrees sees the transposed scene: all that is decoded is transposed."""
    camera = replace(CAMERAS["lab"], size=(300, 360), pitch=11.4, hexagonal=True, offset=(1.2, 3.4), bayer=bayer)
    written(tmp_path / "lab", camera, noise=FIRST_NOISE)
    (tmp_path / "turned").mkdir()
    for path in (tmp_path / "lab").iterdir():
        write_image(tmp_path / "turned" / path.name, read_image(path)[0].mT.contiguous())
    turned = None if bayer is None else "GBRG"
    upright = read_light_field(tmp_path / "lab", bayer=bayer, lenslet=(9, 7))
    on_end = read_light_field(tmp_path / "turned", bayer=turned, lenslet=(7, 9))
    expected = upright.views.permute(1, 0, 2, 4, 3)
    assert on_end.shape == expected.shape
    torch.testing.assert_close(on_end.views, expected, rtol=0, atol=MANY_ROUNDINGS)
    torch.testing.assert_close(on_end.weights, upright.weights.T)
    part = read_light_field(tmp_path / "turned", bayer=turned, lenslet=(7, 9), rows=slice(2, 5), crop=(4, 3, 9, 12))
    torch.testing.assert_close(part.views, on_end.views[2:5, :, :, 4:13, 3:15], rtol=0, atol=FEW_ROUNDINGS)


def held_against_source(source, camera, path, disparity):
    """PSNR of decoded views that lie where the source's views do, against those, averaged over a lenslet."""
    capture = simulate_capture(source, camera, disparity=disparity, noise=FIRST_NOISE)
    write_capture(capture, path)
    field = read_light_field(path, lenslet=source.grid[0])
    sampling = view_grid(camera, field.grid)
    plain = replace(camera, gains=(1.0, 1.0, 1.0), matrix=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    rays = Rays(source, plain, capture.scale, disparity)
    y, x = places(sampling, capture, source.size)
    middle = [(side - 1) / 2 for side in source.size]
    place = ((x - middle[1]) + 1j * (y - middle[0])) / capture.scale
    down, across = sampling.offsets()
    used = field.weights.numpy() > 0
    want = np.stack([
        [[rays.light(place, np.full(place.shape, u + 1j * v), c) for c in range(3)] for u in across] for v in down
    ])  # fmt: skip
    return psnr(inner(field.views.numpy())[used], inner(want)[used])


def test_a_real_light_field_comes_back(tmp_path):
    """Chess, which ships: 848x480 pixels, disparities from -0.5 to 4; here a quarter of each side, from one number."""
    from importlib.resources import files

    chess = read_light_field(str(files("lfdeblur_models") / "assets" / "chess"), crop=(150, 250, 240, 280))
    views = torch.nn.functional.avg_pool2d(chess.views.float().flatten(0, 1) / 255, 4).unflatten(0, chess.grid)
    small = LightField(views, scene="chess")
    assert held_against_source(small, replace(F01, size=(600, 700)), tmp_path / "a.lfp", 0.4) >= ENOUGH


def test_a_rendered_light_field_comes_back(tmp_path):
    """Antinous with its true disparity."""
    source = read_light_field(data_folder("lf-hci-antinous"), crop=(140, 220, 112, 128))
    assert source.disparity is not None
    camera = replace(ILLUM, size=(640, 730))
    assert held_against_source(source, camera, tmp_path / "a.lfr", source.disparity) >= ENOUGH


def test_a_capture_of_a_grey_field_is_grey(tmp_path):
    field = LightField(torch.full((3, 3, 1, SIDE, SIDE), 0.5), transfer="linear")
    write_capture(simulate_capture(field, ILLUM, noise=QUIET), tmp_path / "a.lfr")
    middle = inner(read_light_field(tmp_path / "a.lfr").views[7, 7])
    assert float((middle - middle.mean(0)).abs().max()) < 0.01
    write_image(tmp_path / "middle.png", middle)
    assert captures.psnr(middle, np.full(middle.shape, 0.5)) > 36
