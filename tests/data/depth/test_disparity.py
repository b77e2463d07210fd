"""``estimate_disparity``: values, outlines, confidence, limits, errors."""

import pytest
import torch
import torch.nn.functional as F

from lfdeblur_models.data import (
    LightField,
    LightFieldError,
    disparity_of,
    disparity_scores,
    estimate_disparity,
    estimate_disparity_map,
    estimate_disparity_range,
    find_sources,
    open_source,
    read_light_field,
)
from lfdeblur_models.data.depth import disparity as module
from lfdeblur_ops import refocus
from tests.data.depth.layered_scene import layers, square_before_wall, texture
from tests.data_paths import data_folder


def plane(disparity, size=64, grid=(7, 7), picture=None):
    field, _ = layers(
        [disparity], [torch.ones(size, size)], [texture(size, size) if picture is None else picture], grid
    )
    return field


@pytest.mark.parametrize("disparity", [-2.3, 0.4, 1.73])
def test_a_plane_is_found(disparity):
    found = estimate_disparity(plane(disparity))
    inner = found.disparity[12:-12, 12:-12]
    assert (inner - disparity).abs().median() < 0.015
    assert (inner - disparity).abs().max() < 0.1
    assert found.limits[0] < disparity < found.limits[1]
    assert found.disparity.dtype == found.confidence.dtype == torch.float32
    assert found.confidence.min() >= 0
    assert found.confidence.max() <= 1
    assert found.confidence[12:-12, 12:-12].mean() > 0.5


def test_outlines_are_where_they_are():
    field, truth = square_before_wall()
    error = (estimate_disparity(field).disparity - truth).abs()
    assert (error[8:-8, 8:-8] > 0.2).float().mean() < 0.02  # a border of a pixel around the square is 5 %
    assert error.median() < 0.02


def test_any_grid_dtype_and_transfer():
    field, truth = square_before_wall()
    light = field.views.float() / 255
    cases = {
        "uint16": field.copy(views=(light * 65535).round().to(torch.uint16)),
        "grey": field.copy(views=field.views[:, :, 1:2]),
        "linear": field.copy(views=light**2.2, transfer="linear"),
        "one row": field.crop(rows=slice(3, 4)),
        "one column": field.crop(columns=slice(3, 4)),
        "3x5": field.crop_views(3, 5),
    }
    for name, case in cases.items():
        error = (estimate_disparity(case, (-1.5, 2.0)).disparity - truth)[8:-8, 8:-8].abs()
        assert (error > 0.2).float().mean() < 0.06, name


def test_many_views_are_thinned_and_as_exact():
    field, truth = square_before_wall(near=0.7, far=-0.4, size=72, grid=(13, 13))
    error = (estimate_disparity(field).disparity - truth)[8:-8, 8:-8].abs()
    assert error.median() < 0.01
    assert (error > 0.1).float().mean() < 0.03


def test_views_of_weight_0_do_not_count():
    field, truth = square_before_wall()
    views, weights = field.views.clone(), torch.ones(7, 7)
    for row in (0, 6):
        views[row] = 0
        weights[row] = 0
    dark = field.copy(views=views, weights=weights)
    error = (estimate_disparity(dark, (-1.5, 2.0)).disparity - truth)[8:-8, 8:-8].abs()
    assert (error > 0.2).float().mean() < 0.03


def test_a_flat_part_says_so_and_takes_what_surrounds_it():
    patch = torch.zeros(1, 1, 96, 96)
    patch[..., 34:62, 34:62] = 1
    patch = F.avg_pool2d(patch, 5, 1, 2)[0]  # as soft as pictures are
    found = estimate_disparity(plane(1.2, 96, picture=texture(96, 96) * (1 - patch) + 0.5 * patch))
    middle = slice(42, 54)
    assert found.confidence[middle, middle].max() < 0.1
    assert found.confidence[8:28, 8:-8].mean() > 0.4
    assert (found.disparity[middle, middle] - 1.2).abs().max() < 0.1


def test_a_repeating_surface_says_so():
    """Stripes 8 pixels wide look the same 8 pixels on: at disparities that are 8/3 apart for the outermost views."""
    stripes = (0.5 + 0.4 * torch.sin(torch.arange(96) * 2 * torch.pi / 4)).expand(3, 96, 96)
    repeating = estimate_disparity(plane(0.0, 96, picture=stripes.contiguous(), grid=(1, 3)), (-5.0, 5.0))
    unique = estimate_disparity(plane(0.0, 96, grid=(1, 3)), (-5.0, 5.0))
    assert repeating.confidence[:, 24:-24].mean() < 0.1
    assert unique.confidence[:, 24:-24].mean() > 0.4


def test_a_range_beyond_the_usual_is_found():
    field, _ = square_before_wall(near=13.0, far=10.0, size=160, grid=(3, 3))
    low, high = estimate_disparity_range(field)
    assert low == pytest.approx(10, abs=1)
    assert high == pytest.approx(13, abs=1)


def test_bands_of_rows_are_as_good_as_the_whole(monkeypatch):
    field, truth = square_before_wall(size=192)
    whole = estimate_disparity(field, (-1.5, 2.0)).disparity
    monkeypatch.setattr(module, "COSTS_AT_ONCE", 1)
    banded = estimate_disparity(field, (-1.5, 2.0)).disparity
    assert banded.shape == whole.shape
    assert (banded - whole).abs().median() < 0.005
    assert ((banded - truth)[8:-8, 8:-8].abs() > 0.2).float().mean() < 0.02


def test_true_disparity_is_kept_and_its_gaps_are_filled():
    field, truth = square_before_wall()
    holes = truth.clone()
    holes[:20] = float("nan")
    assert torch.equal(disparity_of(field.copy(disparity=truth)), truth)
    filled = disparity_of(field.copy(disparity=holes, disparity_range=(-1.5, 2.0)))
    assert torch.equal(filled[20:], truth[20:])
    assert (filled[8:20, 8:-8] + 1).abs().median() < 0.02
    assert torch.equal(estimate_disparity_map(field), estimate_disparity(field).disparity)


def test_limits_that_are_nearly_one():
    for limits in ((0.4, 0.4), (0.4, 0.4 + 1e-7)):
        found = estimate_disparity(plane(0.4), limits)
        assert (found.disparity - 0.4).abs().max() < 1e-6
        assert found.confidence[12:-12, 12:-12].mean() > 0.4


def test_errors():
    field, _ = square_before_wall(size=48)
    with pytest.raises(LightFieldError, match="a single view has no disparity"):
        estimate_disparity(field.crop_views(1, 1))
    with pytest.raises(LightFieldError, match="no centre view"):
        estimate_disparity(field.crop_views(6, 6))
    with pytest.raises(LightFieldError, match="no parallax: every view shows the same picture"):
        estimate_disparity(plane(0.0, 48))
    with pytest.raises(LightFieldError, match="nothing but flat areas"):
        estimate_disparity(LightField(torch.full((3, 3, 3, 32, 32), 90, dtype=torch.uint8)))
    for limits in ((1.0, -1.0), (float("nan"), 1.0), (0.0, float("inf"))):
        with pytest.raises(ValueError, match="limits: got"):
            estimate_disparity(field, limits)
    calls = []

    def stop():
        calls.append(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        estimate_disparity(field, between=stop)
    assert len(calls) == 1


def test_the_benchmarks_scene():
    """In the measures of the 4D Light Field Benchmark, beside a sweep that takes the plane of least variance."""
    field = read_light_field(data_folder("lf-hci-antinous"))
    found = disparity_scores(estimate_disparity(field).disparity, field.disparity)
    assert found["badpix_0.07"] <= 6
    planes = torch.linspace(*field.disparity_range, 66)
    least, best = torch.full((512, 512), float("inf")), torch.zeros(512, 512)
    for chunk in planes.split(8):
        variance = refocus(field.views, chunk, reduce="moments")[1].sum(1)
        for plane_, now in zip(chunk, variance, strict=True):
            best, least = torch.where(now < least, plane_, best), torch.minimum(now, least)
    assert found["mse_100"] <= 0.5 * disparity_scores(best, field.disparity)["mse_100"]


def test_pictures_warped_by_their_true_disparity():
    """The truth is in whole thirds of a pixel between two pictures, which are 0.02 to 0.03 pixels between views."""
    data_folder("rgbd-middlebury")
    source = next(s for s in find_sources(data_folder("rgbd-middlebury")) if s.scene == "Teddy")
    field = open_source(source)
    found = estimate_disparity(field.copy(disparity=None, disparity_range=None))
    error = (found.disparity - field.disparity).abs()[found.confidence > 0.3]
    assert error.median() < 0.02
    assert (error < 0.05).float().mean() > 0.85


def test_what_cannot_be_compared_is_named():
    field, _ = square_before_wall(size=48)
    for wrong in ("a/path", field.views, None):
        with pytest.raises(LightFieldError, match=r"light_field: got a .*, want a LightField"):
            estimate_disparity(wrong)
        with pytest.raises(LightFieldError, match="light_field: got a"):
            disparity_of(wrong)
    for limits in (5, (1,), (1, 2, 3), ("0", "1"), (None, None), "01"):
        with pytest.raises(LightFieldError, match=r"limits: got .*, want the lowest and the highest disparity, finite"):
            estimate_disparity(field, limits)
    weights = torch.zeros(7, 7)
    weights[3, 3] = 1
    for limits in (None, (-1.0, 2.0)):
        with pytest.raises(LightFieldError, match="weights: no view but the centre one counts"):
            estimate_disparity(field.copy(weights=weights), limits)
        with pytest.raises(LightFieldError, match="weights: got negative or not finite"):
            estimate_disparity(field.copy(weights=weights - 1), limits)
        holes = field.views.clone().float()
        holes[0, 0, 0, 0, 0] = float("nan")
        with pytest.raises(LightFieldError, match="views: some values are NaN or infinite"):
            estimate_disparity(field.copy(views=holes), limits)


def test_weights_and_true_disparity_of_other_types_count_as_float32():
    field, truth = square_before_wall(size=48)
    weights = torch.ones(7, 7)
    weights[0, 0] = 0
    whole, same = (estimate_disparity(field.copy(weights=given)) for given in (weights.long(), weights))
    assert torch.equal(whole.disparity, same.disparity)
    assert disparity_of(field.copy(disparity=truth.double())).dtype == torch.float32
