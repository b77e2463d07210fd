"""Apertures, transfer functions and focus planes."""

import math

import numpy as np
import pytest
import torch

from lfdeblur_models.data import (
    Aperture,
    LightField,
    annulus,
    cats_eye,
    content_planes,
    disk,
    left_half,
    linear_light_field,
    linear_to_srgb,
    parse_aperture,
    parse_disparities,
    polygon,
    right_half,
    square,
    srgb_to_linear,
)
from lfdeblur_models.data.rendering.aperture import SHAPES, random_aperture
from lfdeblur_models.data.rendering.planes import even_planes
from lfdeblur_models.data.transfer import to_linear
from lfdeblur_ops.testing import MANY_ROUNDINGS


def test_disk_radius_zero_is_the_centre_view():
    weights = disk((5, 7), 0)
    assert weights.dtype == torch.float32
    assert weights.sum() == 1
    assert weights[2, 3] == 1


def test_disk_area_edge_and_symmetry():
    weights = disk((15, 15), 5.3)
    assert weights.sum().item() == pytest.approx(math.pi * 5.3**2, rel=0.01)
    assert set(weights[7, 7:12].tolist()) == {1.0}
    assert weights[7, 12].item() == pytest.approx(0.8)  # 5 steps away: 5.3 - 5 + 0.5
    assert weights[7, 13].item() == 0
    for same in (weights.flip(0), weights.flip(1), weights.T):
        assert torch.equal(weights, same)


def test_disk_grows_with_its_radius_and_is_cut_by_the_grid():
    sums = [disk((9, 9), radius / 4).sum().item() for radius in range(1, 30)]
    assert sums == sorted(sums)
    assert torch.equal(disk((9, 9), 100), torch.ones(9, 9))


def test_softness():
    assert set(disk((9, 9), 2.5, softness=0).unique().tolist()) == {0.0, 1.0}
    assert disk((9, 9), 3, softness=0)[4, 7] == 1  # on a hard edge
    assert disk((9, 9), 3)[4, 7] == 0.5
    assert disk((9, 9), 2, softness=4)[4, 4:].tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_square():
    weights = square((7, 7), 1.75)
    assert weights[3].tolist() == [0, 0.25, 1, 1, 1, 0.25, 0]
    assert torch.equal(weights[2], weights[3])
    assert torch.equal(weights, weights.T)


@pytest.mark.parametrize("blades", [3, 5, 6, 8])
def test_polygon_area_corners_and_rotation(blades):
    weights = polygon((41, 41), 15, blades)
    assert weights.sum().item() == pytest.approx(blades / 2 * 15**2 * math.sin(2 * math.pi / blades), rel=0.01)
    assert weights[5 + 1, 20] > 0  # a corner at the top
    assert weights[:5].sum() == 0
    torch.testing.assert_close(weights, weights.flip(1))
    turned = polygon((41, 41), 15, blades, rotation=360 / blades)
    torch.testing.assert_close(weights, turned, atol=MANY_ROUNDINGS, rtol=0)
    quarter = polygon((41, 41), 15, blades, rotation=90)  # clockwise: the corner at the top comes to the right
    torch.testing.assert_close(quarter, weights.rot90(-1), atol=MANY_ROUNDINGS, rtol=0)


def test_polygon_of_many_blades_is_a_disk_and_annulus_a_difference():
    torch.testing.assert_close(polygon((15, 15), 5, 720), disk((15, 15), 5), atol=1e-3, rtol=0)
    torch.testing.assert_close(annulus((15, 15), 6, 2.5), disk((15, 15), 6) - disk((15, 15), 2.5))
    assert torch.equal(annulus((15, 15), 6, 0), disk((15, 15), 6))
    assert annulus((15, 15), 6, 2)[7, 7] == 0


def test_cats_eye_is_cut_towards_the_centre_of_the_picture():
    assert torch.equal(cats_eye((11, 11), 4, 0.8), disk((11, 11), 4))
    right = cats_eye((11, 11), 4, 0.8, field=(0, 1))
    assert right[:, :5].sum() < right[:, 6:].sum()
    assert torch.equal(right, right.flip(0))
    assert torch.equal(cats_eye((11, 11), 4, 0.8, field=(0, -1)), right.flip(1))
    assert torch.equal(cats_eye((11, 11), 4, 0.8, field=(1, 0)), right.T)
    sums = [cats_eye((11, 11), 4, 0.8, field=(0, x / 4)).sum().item() for x in range(5)]
    assert sums == sorted(sums, reverse=True)
    assert Aperture("cateye", 4, cut=0.8).varies
    assert not Aperture("disk", 4).varies


def test_random_apertures_fit_their_grid():
    rng = np.random.default_rng(0)
    drawn = [random_aperture(rng, (9, 7)) for _ in range(200)]
    assert {aperture.shape for aperture in drawn} == set(SHAPES)
    assert all(1 <= aperture.radius <= 3 for aperture in drawn)
    for aperture in drawn:
        assert parse_aperture(str(aperture)) == aperture
        assert aperture.weights((9, 7), (0.6, -0.8)).sum() > 0
    assert random_aperture(rng, (1, 1)) == Aperture("disk", 0)


@pytest.mark.parametrize("grid", [(5, 5), (4, 6), (1, 1), (3, 1)])
def test_halves_add_up(grid):
    full = disk(grid, 1.7)
    left, right = left_half(full), right_half(full)
    assert torch.equal(left + right, full)
    assert torch.equal(left, right.flip(1))
    assert left.sum() == right.sum()
    if grid[1] == 5:
        assert torch.equal(left[:, 2], full[:, 2] / 2)
        assert left[:, 3:].sum() == 0
    assert torch.equal(left_half(full.expand(2, 3, *grid)), left.expand(2, 3, *grid))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: disk((4, 4), 0), "disk:0 covers no view of a grid of 4x4, which has no centre view"),
        (lambda: disk((5, 5), -1), "got radius -1"),
        (lambda: square((5, 5), math.nan), "got radius nan"),
        (lambda: disk((5, 5), math.inf), "got radius inf"),
        (lambda: disk((5, 5), 1, softness=-1), "got softness -1"),
        (lambda: disk((0, 5), 1), "got a grid of 0x5 views"),
        (lambda: polygon((5, 5), 2, 2), "got 2 blades, want 3 to 1000"),
        (lambda: polygon((5, 5), -2), "got radius -2"),
        (lambda: polygon((5, 5), 2, rotation=math.nan), "got rotation nan"),
        (lambda: annulus((5, 5), 2, 3), "got an annulus from 3 to 2"),
        (lambda: cats_eye((5, 5), 2, 2), "got a cut of 2 radii"),
        (lambda: Aperture("star", 2), "got the shape 'star', want one of disk"),
    ],
)
def test_bad_apertures(call, message):
    with pytest.raises(ValueError, match="aperture: ") as caught:
        call()
    assert message in str(caught.value)


def test_parse_aperture():
    assert torch.equal(parse_aperture("disk:3").weights((9, 9)), disk((9, 9), 3))
    assert torch.equal(parse_aperture("square:2.5").weights((9, 9)), square((9, 9), 2.5))
    assert str(parse_aperture("disk:3.0")) == "disk:3"
    for text in ("polygon:3:6:15", "annulus:4:2", "cateye:3:0.5", "disk:1.5", "square:2"):
        assert str(parse_aperture(text)) == text
    assert str(parse_aperture("polygon:3:6")) == "polygon:3:6:0"
    for text in ("polygon:3", "polygon:3:2", "polygon:3:6.5", "annulus:2:3", "annulus:2", "cateye:3:2", "cateye:3:-1"):
        with pytest.raises(ValueError, match=r"aperture: got .*, want disk:R, square:R, polygon"):
            parse_aperture(text)
    for text in ("disk", "disk:", "disk:-1", "disk:nan", "disk:3:4", "hexagon:3", "3", ""):
        with pytest.raises(ValueError, match=r"aperture: got .* want disk:R, square:R"):
            parse_aperture(text)


def test_parse_disparities():
    assert parse_disparities("-2:2:9") == [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2]
    assert parse_disparities("0.1:0.7:3")[-1] == 0.7
    assert parse_disparities("1:2:1") == [1]
    assert parse_disparities("0.5") == [0.5]
    assert parse_disparities("1,-2, 3.5") == [1, -2, 3.5]
    for text in ("", "a", "1:2", "1:2:0", "1:2:3:4", "1:2:x", "nan", "0:inf:3", "1,,2", "0:1:100000"):
        with pytest.raises(ValueError, match="disparity: got"):
            parse_disparities(text)


def test_planes_evenly_and_by_content():
    assert even_planes((-1, 2), 4) == [-1, 0, 1, 2]
    assert even_planes((-1, 2), 1) == [0.5]
    views = torch.zeros(1, 1, 1, 20, 40)
    views[..., ::2, :10] = 1  # texture at the left only, of disparity 2
    views[..., ::2, 30:] = 0.01  # and a little at the right
    disparity = torch.zeros(20, 40)
    disparity[:, :10], disparity[:, 30:] = 2.0, -3.0
    assert content_planes(LightField(views), disparity, 3) == [2.0, 2.0, 2.0]
    views[..., ::2, 30:] = 1
    assert content_planes(LightField(views), disparity, 2) == [-3.0, 2.0]


def test_srgb_points_and_inverse():
    """IEC 61966-2-1."""
    x = torch.tensor([0, 0.04045, 0.5, 1.0], dtype=torch.float64)
    want = torch.tensor([0, 0.04045 / 12.92, 0.21404114048223255, 1.0], dtype=torch.float64)
    torch.testing.assert_close(srgb_to_linear(x), want)
    x = torch.linspace(0, 1, 10001, dtype=torch.float64)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(x)), x, atol=1e-7, rtol=0)  # the standard's own rounding
    x.requires_grad_()
    (srgb_to_linear(x).sum() + linear_to_srgb(x).sum()).backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
def test_tables_are_the_curve_at_every_level(dtype):
    levels = 256 if dtype == torch.uint8 else 65536
    codes = torch.arange(levels, dtype=torch.int32).to(dtype).view(1, 1, 1, 16, -1)
    want = torch.arange(levels, dtype=torch.float64).view(codes.shape) / (levels - 1)
    torch.testing.assert_close(to_linear(codes), srgb_to_linear(want).float(), atol=0, rtol=2e-7)
    torch.testing.assert_close(to_linear(codes, "linear"), want.float(), atol=0, rtol=2e-7)
    assert torch.equal((linear_to_srgb(to_linear(codes)) * (levels - 1)).round().int(), codes.int())
    part = codes[..., ::2]  # strided
    assert torch.equal(to_linear(part), to_linear(codes)[..., ::2])


def test_linear_light_field():
    field = LightField(torch.full((1, 1, 3, 2, 2), 188, dtype=torch.uint8), weights=torch.ones(1, 1))
    linear = linear_light_field(field)
    assert (linear.transfer, linear.views.dtype) == ("linear", torch.float32)
    assert linear.views.mean().item() == pytest.approx(0.5029, abs=1e-4)
    assert linear.weights is field.weights
    assert linear_light_field(linear) is linear
