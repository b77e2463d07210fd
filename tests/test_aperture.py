"""Apertures, transfer functions and focus planes."""

import math

import pytest
import torch

from lfdeblur_models.data import (
    LightField,
    disk,
    left_half,
    linear_light_field,
    linear_to_srgb,
    parse_aperture,
    parse_disparities,
    right_half,
    square,
    srgb_to_linear,
)
from lfdeblur_models.data.transfer import to_linear


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
