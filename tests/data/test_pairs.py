"""Training pairs: rendered in linear light, exactly corresponding, written in LFDOF's layout."""

import pytest
import torch

import lfdeblur_ops
from lfdeblur_models.cli.demo import ASSET
from lfdeblur_models.data import (
    LightField,
    LightFieldError,
    disk,
    estimate_disparity_range,
    linear_light_field,
    linear_to_srgb,
    read_light_field,
    refocus_light,
    render_pair,
    render_pairs,
    square,
    srgb_to_linear,
)
from lfdeblur_ops.testing import FEW_ROUNDINGS, MANY_ROUNDINGS

from ..data_paths import data_folder
from .toy_scenes import plane

INNER = (..., slice(6, -6), slice(6, -6))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
def test_a_plane_in_focus_is_the_truth(dtype):
    field = plane(2, dtype=dtype)
    pair = render_pair(field, 2.0, disk(field.grid, 1.5))
    for picture in (pair.defocused, pair.left, pair.right, pair.truth):
        assert picture.dtype == torch.float32
        assert picture.shape == (3, 24, 20)
        assert picture.min() >= 0
        assert picture.max() <= 1
    levels = 255 if dtype == torch.uint8 else 65535
    assert torch.equal(pair.truth, field.center.float() / levels)
    torch.testing.assert_close(pair.defocused[INNER], pair.truth[INNER], atol=3e-5, rtol=0)
    assert (render_pair(field, -2.0, disk(field.grid, 1.5)).defocused - pair.truth)[INNER].abs().mean() > 0.05


def test_blur_is_summed_in_linear_light():
    views = torch.zeros((1, 3, 3, 4, 4), dtype=torch.uint8)
    views[0, 1] = 255
    pair = render_pair(LightField(views), 0.0, square((1, 3), 1, softness=0))
    want = linear_to_srgb(torch.tensor(1 / 3)).item()
    assert pair.defocused.mean().item() == pytest.approx(want, abs=FEW_ROUNDINGS)
    assert pair.defocused.mean().item() > 0.6  # a third of the encoded values would be 0.33


@pytest.mark.parametrize("weighted", [False, True])
def test_left_and_right_add_up_to_defocused(weighted):
    field = plane(1)
    if weighted:
        weights = torch.ones(5, 5)
        weights[:, 0] = 0
        field = LightField(field.views, weights=weights)
    aperture = disk(field.grid, 2)
    pair = render_pair(field, -1.0, aperture)
    counted = aperture if field.weights is None else aperture * field.weights
    left = (counted[:, :2].sum() + counted[:, 2].sum() / 2) / counted.sum()
    light = left * srgb_to_linear(pair.left) + (1 - left) * srgb_to_linear(pair.right)
    torch.testing.assert_close(linear_to_srgb(light), pair.defocused, atol=MANY_ROUNDINGS, rtol=0)
    whole = linear_to_srgb(refocus_light(field, -1.0, aperture).clamp(0, 1))
    torch.testing.assert_close(pair.defocused, whole, atol=MANY_ROUNDINGS, rtol=0)
    assert (pair.left - pair.right).abs().mean() > 0.01


def test_dual_pixel_shift_is_horizontal_and_signed_by_defocus():
    views = torch.zeros((5, 5, 1, 21, 21), dtype=torch.uint8)
    for row in range(5):
        for column in range(5):
            views[row, column, 0, 10 - (row - 2), 10 - (column - 2)] = 255  # a point of disparity 1
    field = LightField(views)

    def center_of(picture):
        light = srgb_to_linear(picture[0].double())
        grid = torch.arange(21, dtype=torch.float64)
        return ((light.sum(1) @ grid) / light.sum()).item(), ((light.sum(0) @ grid) / light.sum()).item()

    for focus, sign in ((0.0, 1), (2.0, -1)):  # the point is nearer, then farther, than the plane in focus
        pair = render_pair(field, focus, disk(field.grid, 2))
        (left_y, left_x), (right_y, right_x) = center_of(pair.left), center_of(pair.right)
        assert left_y == pytest.approx(right_y, abs=FEW_ROUNDINGS)
        assert sign * (left_x - right_x) > 1


def test_refocus_light_is_the_op_on_linear_light():
    field = plane(1)
    apertures = torch.stack([disk(field.grid, 1), disk(field.grid, 2)])
    got = refocus_light(field, [0.0, 0.5], apertures, interpolation="bicubic")
    want = lfdeblur_ops.refocus(
        linear_light_field(field).views, [0.0, 0.5], aperture=apertures, interpolation="bicubic"
    )
    assert got.shape == (2, 2, 3, 24, 20)
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(refocus_light(linear_light_field(field), 0.5), refocus_light(field, 0.5))


def test_render_pairs_is_every_aperture_at_every_plane():
    field = plane(1)
    apertures = [disk(field.grid, 0), disk(field.grid, 1.5)]
    pairs = render_pairs(field, [-1.0, 1.0], apertures)
    for a, aperture in enumerate(apertures):
        for d, disparity in enumerate((-1.0, 1.0)):
            one = render_pair(field, disparity, aperture)
            torch.testing.assert_close(pairs[a][d].defocused, one.defocused)
            assert pairs[a][d].disparity == disparity
            assert torch.equal(pairs[a][d].aperture, aperture)
    torch.testing.assert_close(pairs[0][0].defocused, pairs[0][0].truth, atol=FEW_ROUNDINGS, rtol=0)
    torch.testing.assert_close(pairs[0][0].left, pairs[0][0].truth, atol=FEW_ROUNDINGS, rtol=0)


def test_a_grid_without_centre_is_refused():
    with pytest.raises(LightFieldError, match="4x5 views has no centre view; use with_center"):
        render_pair(plane(1, v=4), 0.0, disk((4, 5), 2))


def test_real_scene_blurs_with_distance_from_the_focus():
    field = read_light_field(ASSET, views=5)
    near = LightField(field.views[..., 250:350, 560:740].contiguous())
    sharp = render_pair(near, 3.3, disk(near.grid, 2))
    blurred = render_pair(near, 0.0, disk(near.grid, 2))
    inner = (..., slice(16, -16), slice(16, -16))
    assert (sharp.defocused - sharp.truth)[inner].abs().mean() < 0.6 * (blurred.defocused - blurred.truth)[
        inner
    ].abs().mean()


@pytest.mark.parametrize("disparity", [-2, 0, 1])
def test_disparity_range_of_a_plane_is_estimated(disparity):
    assert estimate_disparity_range(plane(disparity, h=48, w=48)) == (disparity, disparity)


def test_disparity_range_of_a_real_scene_is_estimated():
    """Against the ground truth of the rendered scene, -3.13 to 2.69, of which 2 % at either end may be missed."""
    light_field = read_light_field(data_folder("lf-hci-antinous"))
    low, high = estimate_disparity_range(light_field)
    true = light_field.disparity[16:-16, 16:-16].flatten().sort().values
    assert low == pytest.approx(true[len(true) // 50].item(), abs=0.5)
    assert high == pytest.approx(true[-len(true) // 50].item(), abs=0.5)
