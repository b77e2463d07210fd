"""Numbers as colours."""

import re

import numpy as np
import pytest
import torch

from lfdeblur_models.drawing.colour_map import BACKGROUND, INK, UNSURE, coloured, legend, ticks, with_legend

NAN, INF = float("nan"), float("inf")


def test_the_colours_are_those_of_viridis():
    matplotlib = pytest.importorskip("matplotlib", reason="needs the extra bench")
    values = torch.linspace(-3, 5, 300).view(3, 100)
    got = coloured(values, -3, 5).permute(1, 2, 0).numpy() / 255
    want = matplotlib.colormaps["viridis"](np.linspace(0, 1, 300).reshape(3, 100))[..., :3]
    assert np.abs(got - want).max() <= 0.02


def test_ends_and_what_is_not_sure():
    values = torch.tensor([[-9.0, 0.0, 1.0, 9.0, NAN, INF, 0.5]])
    mask = torch.tensor([[True, True, True, True, True, True, False]])
    picture = coloured(values, 0, 1, mask)
    assert (picture.dtype, list(picture.shape)) == (torch.uint8, [3, 1, 7])
    columns = picture[:, 0].T.tolist()
    assert columns[0] == columns[1]
    assert columns[2] == columns[3]
    assert columns[4] == columns[5] == columns[6] == list(UNSURE)
    assert columns[1][2] > columns[1][1]  # blue
    assert columns[2][0] > 200 > columns[2][2]  # yellow
    assert torch.equal(coloured(torch.full((2, 2), 7.0), 7, 7), coloured(torch.full((2, 2), 0.5), 0, 1))
    assert torch.equal(coloured(torch.tensor([[0, 1]]), 0, 1), coloured(torch.tensor([[0.0, 1.0]]), 0, 1))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((torch.zeros(1, 2, 2), 0, 1), "values: got shape [1, 2, 2]"),
        ((torch.zeros(2, 2), 0, 1, torch.ones(2, 3, dtype=torch.bool)), "mask: got shape [2, 3]"),
        ((torch.zeros(2, 2), 1, 0), "low, high: got 1 and 0"),
        ((torch.zeros(2, 2), 0, NAN), "low, high: got 0 and nan"),
    ],
)
def test_what_is_refused(arguments, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        coloured(*arguments)


@pytest.mark.parametrize(
    ("low", "high", "most", "texts"),
    [
        (-3.13, 3.98, 8, ["-3", "-2", "-1", "0", "1", "2", "3"]),
        (0.0, 1.0, 5, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-0.07, 0.06, 6, ["-0.05", "0.00", "0.05"]),
        (120, 980, 4, ["500"]),
        (0.25, 0.25, 4, ["0.25"]),
    ],
)
def test_round_numbers(low, high, most, texts):
    assert [text for _, text in ticks(low, high, most)] == texts


@pytest.mark.parametrize("width", [24, 90, 512, 1600])
def test_the_legend_is_as_wide_as_the_picture_and_tells_the_ends(width):
    picture = coloured(torch.linspace(-1, 2, width).expand(7, width), -1, 2)
    whole = np.asarray(with_legend(picture, -1, 2, "px/view"))
    assert whole.shape[1] == width
    assert np.array_equal(whole[:7], picture.permute(1, 2, 0).numpy())
    bar = np.asarray(legend(width, -1, 2, "px/view"))
    row = bar[min(28, max(11, width // 36)) // 2 + 1]
    inside = row[~(row == BACKGROUND).all(1)]
    assert np.array_equal(inside[[0, -1]], picture[:, 0, [0, -1]].T.numpy())
    assert (bar == INK).all(2).any()  # something is written
    assert len(legend(width, -1, 2, "px/view", "grey: not sure").tobytes()) > bar.size


def test_every_mark_of_the_legend_has_its_number():
    bar = np.asarray(legend(512, -3.13, 2.69, "px/view"))  # the unit stands where 2 would
    size = 512 // 36
    marks = (bar[size // 2 + size] == INK).all(1)
    assert np.flatnonzero(np.diff(marks.astype(int)) == 1).size == 5  # -3, -2, -1, 0, 1
