"""The page about one light field."""

import numpy as np
import pytest
import torch

from lfdeblur_models.data import LightField, LightFieldError
from lfdeblur_models.data.overview import LEFT_OUT, MARK, overview
from lfdeblur_models.drawing.colour_map import UNSURE


def field(v=5, u=5, h=24, w=30, **told):
    generator = torch.Generator().manual_seed(0)
    return LightField(torch.rand(v, u, 3, h, w, generator=generator) * 0.5 + 0.2, **told)


def has(sheet, colour):
    return int((np.asarray(sheet) == colour).all(2).sum())


@pytest.mark.parametrize(("v", "u", "h", "w"), [(15, 15, 28, 28), (1, 1, 7, 9), (3, 17, 60, 11), (2, 9, 100, 900)])
def test_the_sheet_stays_small_for_any_field(v, u, h, w):
    sheet = overview(field(v, u, h, w))
    assert sheet.width == 1848
    views = max(900 * h / w, v * (900 // u * h / w + 2))
    assert sheet.height < views + 2 * 210 + 450
    assert has(sheet, MARK) >= 900  # the lines of the slices are seen


def test_epipolar_images_of_one_height():
    """A square field has two slices of the same kind: they end in the same line."""
    wide, narrow = overview(field(9, 9, 32, 32)), overview(field(9, 9, 512, 512))
    assert abs(wide.height - narrow.height) <= 2


def test_views_that_are_left_out_and_missing_ones_are_marked():
    plain = field()
    weights = torch.ones(5, 5)
    assert has(overview(plain), LEFT_OUT) == 0
    weights[0, 0] = 0
    framed = has(overview(plain.copy(weights=weights)), LEFT_OUT)
    assert framed > 500
    views = plain.views.clone()
    views[0, 0] = 0
    assert has(overview(plain.copy(views=views, weights=weights)), LEFT_OUT) > framed + 100


def test_disparity_is_drawn_in_colours_and_noise_is_left_out():
    plain = field()
    disparity = torch.linspace(-1, 1, 24)[:, None].expand(24, 30)
    confidence = torch.ones(24, 30)
    confidence[:, :10] = 0
    assert has(overview(plain, disparity), UNSURE) == 0
    assert has(overview(plain, disparity, confidence), UNSURE) > 200 * 400
    assert has(overview(plain, disparity, 0 * confidence), UNSURE) > 600 * 480
    gaps = disparity.clone()
    gaps[:12] = float("nan")
    true = overview(plain.copy(disparity=gaps))
    assert has(true, UNSURE) > 600 * 200
    assert true.width == overview(plain, disparity).width > overview(plain).width
    with pytest.raises(LightFieldError, match=r"confidence: got shape \[24, 31\], want \[24, 30\] as the views"):
        overview(plain, disparity, torch.ones(24, 31))
