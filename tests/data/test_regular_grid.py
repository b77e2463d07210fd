"""Cameras beside their places: told, and undone."""

import numpy as np
import pytest
import torch

from lfdeblur_models.data import (
    LightField,
    LightFieldError,
    estimate_disparity,
    on_regular_grid,
    read_light_field,
    write_light_field,
)
from lfdeblur_models.data.positions import grid_places, off_grid, positions_of_cameras
from tests.data.two_planes import CARD, GRID, irregular, on_surfaces, psnr, true_disparity, two_planes

from .readers.light_field_files import random_views, write_views


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
def test_irregular_cameras_are_brought_onto_the_grid(dtype):
    positions = irregular()
    exact = two_planes(grid_places(*GRID), dtype=dtype)
    field = LightField(two_planes(positions, dtype=dtype), positions=positions)
    got = on_regular_grid(field, true_disparity())
    assert got.positions is None
    assert got.dtype == dtype
    assert torch.equal(got.center.int(), field.center.int())
    assert psnr(got.views, exact) > psnr(field.views, exact) + 3  # outlines are hard, and half hidden
    away = on_surfaces()
    before, after = (psnr(views[away], exact[away]) for views in (field.views, got.views))
    assert before < 31
    assert after > 42
    assert on_regular_grid(got, true_disparity()) is got


def test_disparity_becomes_right():
    positions = irregular(1, 0.4)
    field = LightField(two_planes(positions), positions=positions)
    inner = torch.zeros(96, 112, dtype=torch.bool)
    inner[12:-12, 12:-12] = True
    inner[CARD[0].start - 5 : CARD[0].stop + 5, CARD[1].start - 5 : CARD[1].stop + 5] = False
    inner[CARD[0].start + 6 : CARD[0].stop - 6, CARD[1].start + 6 : CARD[1].stop - 6] = True

    def error(light_field):
        found = estimate_disparity(light_field, (-2.0, 3.0)).disparity
        return float((found - true_disparity())[inner].abs().mean()), found

    before, rough = error(field)
    after, _ = error(on_regular_grid(field, rough))
    print(f"mean error {before:.4f} px before, {after:.4f} px after")
    assert after < 0.05
    assert after < before / 2


def test_unknown_disparity_and_bad_maps():
    positions = irregular()
    field = LightField(two_planes(positions), positions=positions)
    holes = true_disparity()
    holes[10:20, 5:15] = float("nan")
    got, want, away = on_regular_grid(field, holes).views, two_planes(grid_places(*GRID)), on_surfaces()
    assert psnr(got[away], want[away]) > 42
    with pytest.raises(LightFieldError, match=r"disparity: got shape \[3, 4\], want \[96, 112\] as the views"):
        on_regular_grid(field, torch.zeros(3, 4))
    with pytest.raises(LightFieldError, match="no pixel is known"):
        on_regular_grid(field, holes * float("nan"))
    with pytest.raises(LightFieldError, match=r"positions: got shape \[5, 4, 2\], want \[5, 5, 2\]"):
        LightField(field.views, positions=positions[:, :4])


def test_positions_of_cameras_are_fitted():
    exact = grid_places(4, 7)
    assert positions_of_cameras(exact * torch.tensor([-30.0, 30.0]) + torch.tensor([700.0, -90.0])) is None
    assert positions_of_cameras(torch.zeros(3, 3, 2)) is None
    assert positions_of_cameras(grid_places(1, 9) * 12.5) is None
    places = exact.clone()
    places[1, 2] += torch.tensor([0.2, -0.1])
    got = positions_of_cameras(places * torch.tensor([-30.0, 30.0]) + 5)
    assert off_grid(got)[1, 2].tolist() == pytest.approx([0.2, -0.1], abs=0.02)
    assert off_grid(got).abs().mean() < 0.03
    far = positions_of_cameras(exact * torch.tensor([33.0, 27.0]))  # rows farther apart than columns
    assert (far[1:, 0, 0] - far[:-1, 0, 0]).tolist() == pytest.approx([1.1] * 3)
    assert (far[0, 1:, 1] - far[0, :-1, 1]).tolist() == pytest.approx([0.9] * 6)


def test_cropping_keeps_positions_about_the_new_centre():
    positions = irregular()
    field = LightField(two_planes(positions), positions=positions)
    part = field.crop(slice(0, 3), slice(1, 5))
    assert part.positions.mean((0, 1)).abs().max() < 1e-6
    odd = field.crop(slice(0, 3), slice(1, 4))
    assert odd.positions[1, 1].tolist() == [0, 0]
    torch.testing.assert_close(odd.positions, positions[0:3, 1:4] - positions[1, 2])
    assert field.crop(y=slice(0, 50)).positions is not None
    assert LightField(field.views, positions=grid_places(*GRID)).crop_views(3, 3).positions is None


@pytest.mark.parametrize("upwards", [False, True])
def test_names_of_the_gantry_tell_positions(tmp_path, upwards):
    positions = irregular(2, 0.1)
    views = random_views(*GRID)

    def name(row, column):
        v, u = (positions[row, column] * torch.tensor([-40.0 if upwards else 40.0, 40.0])).tolist()
        return f"out_{row:02d}_{column:02d}_{v - 300:.6f}_{u + 120:.6f}{'' if upwards else '_'}.png"

    write_views(tmp_path, views, name)
    field = read_light_field(tmp_path)
    assert torch.equal(field.views, views)  # bit-exact: nothing is warped on reading
    torch.testing.assert_close(field.positions, positions, atol=0.05, rtol=0.03)
    exact = tmp_path / "exact"
    positions = grid_places(*GRID)
    write_views(exact, views, name)
    assert read_light_field(exact).positions is None


def test_positions_outlive_writing_and_every_second_view(tmp_path):
    positions = irregular(2, 0.1)
    field = LightField(random_views(*GRID), positions=positions, scene="toy")
    written = write_light_field(field, tmp_path / "gantry", "stanford")
    again = read_light_field(tmp_path / "gantry")
    torch.testing.assert_close(again.positions, positions, atol=0.05, rtol=0.03)
    assert not any("positions" in line for line in written.lost)
    write_light_field(field, tmp_path / "toy.npz", "npz")
    torch.testing.assert_close(read_light_field(tmp_path / "toy.npz").positions, positions)
    every_second = field.sub(step=2)
    torch.testing.assert_close(every_second.positions, positions[::2, ::2] / 2)


def test_wrong_types_are_named():
    field = LightField(random_views(*GRID), positions=irregular(0, 0.1))
    for wrong in (None, 1.0, np.zeros(field.size)):
        with pytest.raises(LightFieldError, match=r"disparity: got a \w+, want a torch\.Tensor"):
            on_regular_grid(field, wrong)
    with pytest.raises(LightFieldError, match="light_field: got a str"):
        on_regular_grid("a/path", torch.zeros(field.size))
