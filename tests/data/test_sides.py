"""Sides of an aperture, and pictures in which all is in focus past outlines."""

import pytest
import torch

from lfdeblur_models.data import all_in_focus_light, center_light, linear_to_srgb
from lfdeblur_models.data.lazy_views import Window
from lfdeblur_models.data.rendering.exposure import refocus_light
from lfdeblur_models.data.rendering.sides import sides_of
from tests.data.depth.layered_scene import square_before_wall


@pytest.mark.parametrize(
    ("grid", "pieces", "sides"), [((5, 5), 4, 9), ((4, 6), 4, 9), ((1, 5), 2, 3), ((5, 1), 2, 3), ((1, 1), 1, 1)]
)
def test_pieces_add_up_and_sides_are_means(grid, pieces, sides):
    aperture = torch.rand(grid, generator=torch.Generator().manual_seed(3)) + 0.1
    made = sides_of(aperture)
    assert len(made.pieces) == pieces
    assert len(made.shares) == sides
    torch.testing.assert_close(made.pieces.sum(0), aperture)
    torch.testing.assert_close(made.shares.sum(1), torch.ones(sides))
    values = torch.rand(*grid, 3)
    means = torch.einsum("pvu,vuc->pc", made.pieces, values) / made.pieces.sum((1, 2))[:, None]
    whole = (aperture[..., None] * values).sum((0, 1)) / aperture.sum()
    torch.testing.assert_close(made.of(means)[-1], whole)
    if pieces == 4 and grid[0] % 2:
        weights = aperture.clone()
        weights[grid[0] // 2] /= 2
        weights[grid[0] // 2 + 1 :] = 0
        upper = (weights[..., None] * values).sum((0, 1)) / weights.sum()
        assert (made.of(means) - upper).abs().amax(1).min() < 1e-6


def test_a_corner_alone_is_one_piece():
    aperture = torch.zeros(5, 5)
    aperture[0, 0] = 1
    made = sides_of(aperture)
    assert len(made.pieces) == 1
    assert torch.equal(made.pieces[0], aperture)


def test_all_in_focus_has_no_halo():
    field, truth = square_before_wall(size=96)
    center = linear_to_srgb(center_light(field))
    light = all_in_focus_light(field, truth)
    plain = refocus_light(field, truth, torch.ones(1, 7, 7), interpolation="bicubic")[0]
    error, before = ((linear_to_srgb(one.clamp(0, 1)) - center).square().mean().sqrt() for one in (light, plain))
    assert error < before / 2
    assert error < 0.01


def test_a_window_is_a_part_of_the_whole():
    field, truth = square_before_wall(size=64)
    whole = all_in_focus_light(field, truth)
    part = all_in_focus_light(field, truth, Window(y=slice(13, 40), x=slice(20, 51)))
    torch.testing.assert_close(part, whole[:, 13:40, 20:51])
