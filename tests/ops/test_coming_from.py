"""docs/coming_from.md: its lines run as they stand, and its signs and borders are those of the other side."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import lfdeblur_ops
from lfdeblur_ops import dynamic_filter, refocus
from lfdeblur_ops.testing import FLOAT64_ROUNDINGS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coming_from.md"


def test_the_lines_run(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) > 8
    names = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert "equal; compared with theirs in float64" in capsys.readouterr().out


def test_what_the_table_names_is_there():
    text = PAGE.read_text()
    table = text[text.index("| theirs | ours |") : text.index("The lines below")]
    ours = re.findall(r"\| [^|]* \| `([A-Za-z_]+)\(", table)
    assert len(ours) > 10
    assert all(hasattr(lfdeblur_ops, name) for name in ours)


@pytest.mark.parametrize("border", ["replicate", "zeros", "reflect", "circular"])
def test_borders_and_the_sign_of_taps(border):
    mode = "constant" if border == "zeros" else border
    x = torch.rand(1, 1, 5, 6, dtype=torch.float64)
    for tap in range(9):
        filters = torch.zeros(1, 9, 5, 6, dtype=torch.float64)
        filters[:, tap] = 1
        i, j = divmod(tap, 3)
        shifted = F.pad(x, (1, 1, 1, 1), mode=mode)[..., i : i + 5, j : j + 6]
        assert torch.equal(dynamic_filter(x, filters, 3, border=border), shifted)


def test_slope_of_lftoolbox():
    rows, slope = 9, 0.4
    views = np.random.default_rng(0).random((rows, 1, 12, 1))  # [T, S, V, U]
    offsets = np.linspace(-0.5, 0.5, rows) * slope * rows
    positions = np.arange(12)
    shifted = [
        np.interp(positions + offset, positions, view[0, :, 0]) for view, offset in zip(views, offsets, strict=True)
    ]
    light_field = torch.from_numpy(views)[:, :, None]
    ours = refocus(light_field, -slope * rows / (rows - 1))[0, :, 0].numpy()
    np.testing.assert_allclose(ours, np.mean(shifted, 0), atol=FLOAT64_ROUNDINGS)


def test_attention_of_natten_is_equal_inside():
    heads, dim, height, width, k = 2, 3, 9, 10, 5
    weights = torch.rand(1, heads, height, width, k * k, dtype=torch.float64)
    value = torch.rand(1, heads, height, width, dim, dtype=torch.float64)
    ours = dynamic_filter(value.permute(0, 1, 4, 2, 3).flatten(1, 2), weights.permute(0, 1, 4, 2, 3), k)
    theirs = torch.zeros_like(value)
    for y in range(height):
        for x in range(width):
            top, left = (min(max(at - k // 2, 0), size - k) for at, size in ((y, height), (x, width)))
            window = value[:, :, top : top + k, left : left + k].flatten(2, 3)
            theirs[:, :, y, x] = (weights[:, :, y, x, :, None] * window).sum(2)
    theirs = theirs.permute(0, 1, 4, 2, 3).flatten(1, 2)
    inside = (..., slice(k // 2, -(k // 2)), slice(k // 2, -(k // 2)))
    torch.testing.assert_close(ours[inside], theirs[inside], rtol=0, atol=FLOAT64_ROUNDINGS)
    assert (ours - theirs).abs().max() > 0.1
