"""Depth from disparity, points, scores, focus on a pixel."""

import math

import numpy as np
import pytest
import torch

from lfdeblur_models.data import (
    Camera,
    LightField,
    LightFieldError,
    camera_of,
    disparity_at,
    disparity_scores,
    write_points,
)
from lfdeblur_models.data.depth.camera import parse_camera
from lfdeblur_models.data.depth.focus import own_planes
from tests.data.depth.layered_scene import square_before_wall

# As parameters.cfg of the 4D Light Field Benchmark has them.
HCI = {
    "baseline_mm": 50.0,
    "focal_length_mm": 100.0,
    "sensor_size_mm": 35.0,
    "focus_distance_m": 8.5,
    "image_resolution_x_px": 512,
    "image_resolution_y_px": 512,
}


def toy(**metadata):
    return LightField(torch.zeros(3, 3, 3, 8, 10, dtype=torch.uint8), metadata=metadata)


def test_hci_as_its_own_tools_have_it():
    camera = camera_of(toy(**HCI))
    disparity = torch.tensor([-1.0, 0.0, 1.5])
    q = 50.0 * 100.0 * 512
    expected = 1 / (1000 * 35.0 * disparity / q + 1 / 8.5)  # evaluation-toolkit, file_io: disp2depth
    torch.testing.assert_close(camera.depth(disparity), expected)
    torch.testing.assert_close(camera.disparity(expected), disparity)
    assert camera.unit == "m"
    assert camera.depth(torch.tensor([0.0])).item() == pytest.approx(8.5)


def test_a_field_of_fewer_or_smaller_views_has_another_camera():
    field = LightField(torch.zeros(5, 5, 3, 512, 512, dtype=torch.uint8), metadata=dict(HCI))
    disparity = torch.tensor([0.7])
    depth = camera_of(field).depth(disparity)
    torch.testing.assert_close(camera_of(field.sub(step=2)).depth(2 * disparity), depth)
    torch.testing.assert_close(camera_of(field.resize(0.5)).depth(0.5 * disparity), depth)
    torch.testing.assert_close(camera_of(field.crop(y=slice(9, 99))).depth(disparity), depth)


def test_hci_old():
    camera = camera_of(toy(dH=0.05, focalLength=900.0, shift=9.0))
    depth = torch.tensor([2.0, 5.0, 10.0])
    torch.testing.assert_close(camera.depth(0.05 * 900 / depth - 9.0), depth)
    assert camera_of(toy(dH=0.05, focalLength=900.0, shift=0.0)).focus == math.inf


@pytest.mark.parametrize(
    "metadata", [{}, HCI | {"sensor_size_mm": 0.0}, HCI | {"baseline_mm": "wide"}, {"dH": 1.0, "focalLength": 2.0}]
)
def test_no_camera(metadata):
    assert camera_of(toy(**metadata)) is None


def test_what_is_beyond_infinity_is_infinitely_far():
    camera = Camera(0.1, 1000, 10)
    assert camera.infinity == -10
    assert camera.depth(torch.tensor([-10.0, -11.0])).tolist() == [math.inf, math.inf]


def test_bad_cameras():
    with pytest.raises(LightFieldError, match="baseline: got -1, want a number above 0"):
        Camera(-1, 100)
    assert parse_camera("0.01,1200,inf") == Camera(0.01, 1200)
    for text in ("0.01,1200", "a,b,c", "0,1,1", "nan,1,1", "1,inf,1"):
        with pytest.raises(ValueError, match="camera: got"):
            parse_camera(text)


def read_ply(path):
    header, _, data = path.read_bytes().partition(b"end_header\n")
    lines = header.decode().splitlines()
    kinds = {"float": "<f4", "uchar": "u1"}
    fields = [(line.split()[2], kinds[line.split()[1]]) for line in lines if line.startswith("property")]
    count = int(next(line for line in lines if line.startswith("element vertex")).split()[2])
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    points = np.frombuffer(data, fields)
    assert len(points) == count
    return lines, points


def test_points_are_where_a_pinhole_sees_them(tmp_path):
    views = torch.randint(0, 256, (3, 3, 3, 8, 10), dtype=torch.uint8)
    field = LightField(views, scene="two\nlines")
    camera, disparity = Camera(0.1, 100, 5), torch.linspace(-1, 1, 80).view(8, 10)
    assert write_points(tmp_path / "a.ply", field, disparity, camera) == 80
    lines, points = read_ply(tmp_path / "a.ply")
    assert "comment two?lines: points in m" in lines
    depth = -points["z"].reshape(8, 10)
    np.testing.assert_allclose(depth, camera.depth(disparity).numpy(), rtol=1e-6)
    np.testing.assert_allclose(
        points["x"].reshape(8, 10) / depth * 100, np.arange(10)[None] - 4.5 + 0 * depth, atol=1e-4
    )
    np.testing.assert_allclose(
        points["y"].reshape(8, 10) / depth * 100, 3.5 - np.arange(8)[:, None] + 0 * depth, atol=1e-4
    )
    colours = np.stack([points[name] for name in ("red", "green", "blue")]).reshape(3, 8, 10)
    assert (colours == views[1, 1].numpy()).all()


def test_points_without_a_camera_are_a_relief(tmp_path):
    field = toy()
    disparity, confidence = torch.zeros(8, 10), torch.ones(8, 10)
    disparity[2, 3], confidence[0] = 2.0, 0.1
    assert write_points(tmp_path / "a.ply", field, disparity, confidence=confidence, least=0.5) == 70
    lines, points = read_ply(tmp_path / "a.ply")
    assert "not to scale" in lines[2]
    assert points["z"].max() == 2.5
    assert points[points["z"] > 0][["x", "y"]].tolist() == [(-1.5, 1.5)]
    with pytest.raises(LightFieldError, match="no point is left of 80"):
        write_points(tmp_path / "b.ply", field, disparity, confidence=confidence, least=1.1)
    with pytest.raises(LightFieldError, match=r"disparity: got shape \[3, 3\], want \[8, 10\]"):
        write_points(tmp_path / "b.ply", field, torch.zeros(3, 3))
    assert not (tmp_path / "b.ply").exists()


def test_scores():
    truth = torch.zeros(100, 100)
    estimate = truth.clone()
    estimate[:20] = 9  # 15 of these rows are in the border
    estimate[20:27] = 0.02
    scores = disparity_scores(estimate, truth)
    assert scores["badpix_0.07"] == pytest.approx(100 * 5 / 70)
    assert scores["badpix_0.03"] == scores["badpix_0.07"]
    assert scores["badpix_0.01"] == pytest.approx(100 * 12 / 70)
    assert scores["mse_100"] == pytest.approx(100 * (5 * 81 + 7 * 0.02**2) / 70, rel=1e-5)
    truth[40:60] = float("nan")
    assert disparity_scores(estimate, truth)["badpix_0.07"] == pytest.approx(100 * 5 / 50)
    with pytest.raises(ValueError, match="got no finite value"):
        disparity_scores(estimate, torch.full_like(truth, float("nan")))


def test_the_disparity_of_a_pixel_and_planes_of_its_own():
    field, truth = square_before_wall(size=128)
    assert disparity_at(field, 64, 64) == pytest.approx(1.5, abs=0.03)
    assert disparity_at(field, 20, 100) == pytest.approx(-1.0, abs=0.03)
    assert disparity_at(field.copy(disparity=truth + 5), 64, 64) == pytest.approx(6.5)
    with pytest.raises(LightFieldError, match="at: got 128,0, want a pixel of the 128x128"):
        disparity_at(field, 128, 0)
    planes = own_planes(field, 3)
    assert planes[0] == pytest.approx(-1, abs=0.3)
    assert planes[2] == pytest.approx(1.5, abs=0.3)


def test_wrong_types_are_named(tmp_path):
    field, _ = square_before_wall(size=16)
    with pytest.raises(LightFieldError, match=r"x: got 1\.5, want a whole number"):
        disparity_at(field, 1.5, 2)
    with pytest.raises(LightFieldError, match="light_field: got a str"):
        disparity_at("a/path", 1, 2)
    with pytest.raises(LightFieldError, match="light_field: got a str"):
        camera_of("a/path")
    with pytest.raises(LightFieldError, match="baseline: got '1', want a number above 0"):
        Camera("1", 1.0)
    path = tmp_path / "a.ply"
    with pytest.raises(LightFieldError, match="light_field: got a str"):
        write_points(path, "a/path", torch.zeros(16, 16))
    with pytest.raises(LightFieldError, match="disparity: got a ndarray, want a torch"):
        write_points(path, field, np.zeros((16, 16)))
    with pytest.raises(LightFieldError, match="disparity: got a NoneType"):
        write_points(path, field, None)
    with pytest.raises(LightFieldError, match="confidence: got a list, want a torch"):
        write_points(path, field, torch.zeros(16, 16), confidence=[1])
    with pytest.raises(LightFieldError, match="camera: got 'f01', want a Camera"):
        write_points(path, field, torch.zeros(16, 16), "f01")
    assert not path.exists()


def test_numbers_of_numpy_tell_a_camera():
    assert camera_of(toy(dH=np.float32(0.5), focalLength=np.float64(900), shift=np.int64(9))).baseline == 0.5
