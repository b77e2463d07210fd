"""Cameras beside their places: told, and undone."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lfdeblur_models.data import LightField, LightFieldError, estimate_disparity_map, on_regular_grid, read_light_field
from lfdeblur_models.data.positions import grid_places, off_grid, positions_of_cameras

from .readers.light_field_files import random_views, write_views

GRID = 5, 5
NEAR, FAR = 2.0, -1.0  # pixels per view step
CARD = slice(30, 70), slice(35, 80)  # y, x of the near plane in the centre view


def texture(y, x, seed):
    """Smooth, the same wherever it is asked for: a sum of waves of 5 to 20 pixels."""
    rng = np.random.default_rng(seed)
    total = np.zeros(np.broadcast_shapes(y.shape, x.shape))
    for _ in range(24):
        length, turn, phase = rng.uniform(5, 20), rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi)
        total += np.sin(2 * math.pi / length * (y * math.sin(turn) + x * math.cos(turn)) + phase)
    return 0.5 + total / 14


def two_planes(positions, height=96, width=112, dtype=torch.uint8):
    """Views of a card before a wall, from cameras at ``positions``."""
    y, x = np.mgrid[:height, :width].astype(float)
    views = np.empty((*positions.shape[:2], 1, height, width))
    for place in np.ndindex(*positions.shape[:2]):
        v, u = positions[place].tolist()
        near = y + NEAR * v, x + NEAR * u
        views[place] = np.where(on_card(*near), texture(*near, 1), texture(y + FAR * v, x + FAR * u, 2))
    levels = {torch.uint8: 255, torch.uint16: 65535}[dtype]
    return torch.from_numpy(np.rint(views.clip(0, 1) * levels).astype(np.uint16)).to(dtype)


def on_card(y, x):
    """Whether the card is there, by pixels of the centre view."""
    return (y >= CARD[0].start) & (y < CARD[0].stop) & (x >= CARD[1].start) & (x < CARD[1].stop)


def on_surfaces(height=96, width=112, margin=3):
    """``[V, U, 1, H, W]``: where no outline is near, at which a pixel is of one surface or the other."""
    y, x = np.mgrid[:height, :width].astype(float)
    places = grid_places(*GRID)
    cards = torch.stack(
        [torch.from_numpy(on_card(y + NEAR * v, x + NEAR * u)) for v, u in places.flatten(0, 1).tolist()]
    )
    cards = cards.float()[:, None]
    size = 2 * margin + 1
    most, least = (sign * F.max_pool2d(sign * cards, size, 1, margin) for sign in (1, -1))
    return (most == least).view(*GRID, 1, height, width)


def true_disparity(height=96, width=112):
    disparity = torch.full((height, width), FAR)
    disparity[CARD] = NEAR
    return disparity


def irregular(seed=0, spread=0.3):
    """An exact grid, each camera but the centre one up to so many view steps beside its place."""
    positions = grid_places(*GRID)
    off = (torch.rand(positions.shape, generator=torch.Generator().manual_seed(seed)) - 0.5) * 2 * spread
    off[GRID[0] // 2, GRID[1] // 2] = 0
    return positions + off


def psnr(got, want):
    levels = 255 if want.dtype == torch.uint8 else 65535
    return 10 * math.log10(levels**2 / float((got.double() - want.double()).square().mean()))


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
        found = estimate_disparity_map(light_field, (-2.0, 3.0))
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


def test_wrong_types_are_named():
    field = LightField(random_views(*GRID), positions=irregular(0, 0.1))
    for wrong in (None, 1.0, np.zeros(field.size)):
        with pytest.raises(LightFieldError, match=r"disparity: got a \w+, want a torch\.Tensor"):
            on_regular_grid(field, wrong)
    with pytest.raises(LightFieldError, match="light_field: got a str"):
        on_regular_grid("a/path", torch.zeros(field.size))
