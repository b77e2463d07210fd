"""Contact sheets: what is said is there, whole, and in its place."""

import numpy as np
import pytest
import torch
from PIL import ImageFont

from lfdeblur_models.drawing.colour_map import coloured
from lfdeblur_models.drawing.contact_sheet import (
    BACKGROUND,
    GAP,
    Row,
    Scale,
    Tile,
    _Text,
    contact_sheet,
    disparity_label,
    thumbnail,
)

PICTURE = torch.ones(3, 20, 40)


def pixels(sheet):
    return np.asarray(sheet)


def test_disparities_are_rounded_and_have_a_unit():
    assert disparity_label(0.526315789) == "d = +0.53 px/view"
    assert disparity_label(-1.0) == "d = -1.00 px/view"
    assert disparity_label(-1e-9) == "d = +0.00 px/view"


@pytest.mark.parametrize("width", [100, 240, 900])
def test_texts_are_wrapped_and_never_cut(width):
    text = "a long title that has to be wrapped " * 8 + "AWordThatIsTooLongForAnyLine" * 12
    drawn = _Text(16)
    lines = drawn.wrapped(text, width)
    font = ImageFont.load_default(16)
    assert all(font.getlength(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert drawn.wrapped("", width) == [""]
    short = contact_sheet([Tile(PICTURE, "x")], tile_width=width, title="x")
    long = contact_sheet([Tile(PICTURE, text)], tile_width=width, title=text)
    assert long.width == short.width
    assert long.height > short.height + 2 * 16
    border = pixels(long)[:, -GAP:]
    assert (border == BACKGROUND).all()  # nothing runs out of the sheet


def test_rows_start_anew_under_their_headings():
    tile = Tile(PICTURE, "x")
    sheet = pixels(contact_sheet([Row([tile]), Row([tile] * 3, "aperture 1")], tile_width=100))
    assert sheet.shape[1] == 3 * (100 + GAP) + GAP
    white = (sheet == 255).all(2)
    tops = np.flatnonzero(np.diff(white[:, GAP + 50].astype(int)) == 1)
    assert len(tops) == 2
    assert not white[: tops[1] - 1, GAP + 100 + GAP + 50].any()  # the first row has one tile
    wrapped = contact_sheet([Row([tile] * 3)], columns=2, tile_width=100)
    assert wrapped.size == (2 * (100 + GAP) + GAP, contact_sheet([tile] * 3, columns=2, tile_width=100).height)


def test_a_scale_is_drawn_below_its_picture():
    values = torch.linspace(-1, 2, 80).expand(40, 80)
    plain = Tile(coloured(values, -1, 2), "x")
    scaled = Tile(plain.picture, "x", scale=Scale(-1, 2, "px/view"))
    with_scale, without = contact_sheet([scaled], tile_width=80), contact_sheet([plain], tile_width=80)
    assert with_scale.height > without.height + 15
    row = pixels(with_scale)[GAP + 40 + 11 // 2 + 2, GAP : GAP + 80]
    inside = row[(row != BACKGROUND).any(1)]
    assert len(inside) >= 65
    assert np.array_equal(inside[[0, -1]], plain.picture[:, 0, [0, -1]].T.numpy())


def test_pixels_of_small_pictures_stay_squares():
    picture = torch.tensor([[[0.0, 1.0]]])
    sheet = pixels(contact_sheet([Tile(picture, "x")], tile_width=40))
    shown = sheet[GAP : GAP + 20, GAP : GAP + 40]
    assert (shown[:, :20] == 0).all()
    assert (shown[:, 20:] == 255).all()
    assert list(thumbnail(torch.rand(3, 30, 60), 20).shape) == [3, 10, 20]
