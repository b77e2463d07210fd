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


def line_for(name, **tensors):
    """What the table's line for a layer gives."""
    row = re.search(rf"^\| {name}.*\| `([^|]*)`[^`|]*\|$", PAGE.read_text(), re.MULTILINE)
    return eval(row[1], vars(lfdeblur_ops) | tensors)


def rand(*shape):
    return torch.rand(shape, dtype=torch.float64)


def windows(x, k, mode):
    return F.pad(x, (k // 2,) * 4, mode=mode).unfold(2, k, 1).unfold(3, k, 1)  # [N, C, H, W, k, k]


def test_line_of_san_takes_its_flat_pixels():
    x, w = rand(2, 6, 5, 7), rand(2, 3, 9, 35)
    taps = w.view(2, 3, 3, 3, 5, 7).repeat(1, 2, 1, 1, 1, 1)
    theirs = torch.einsum("nchwij,ncijhw->nchw", windows(x, 3, "reflect"), taps)
    torch.testing.assert_close(line_for("SAN", x=x, w=w, k=3), theirs, rtol=0, atol=FLOAT64_ROUNDINGS)
    with pytest.raises(RuntimeError, match=r"filters.unflatten\(-1, \(5, 7\)\) if their last axis is of the pixels"):
        dynamic_filter(x, w, 3, interleaved=True)


def test_line_of_ifan_is_two_passes():
    x, first, second = rand(2, 3, 5, 7), rand(2, 15, 5, 7), rand(2, 15, 5, 7)
    down = F.pad(x, (0, 0, 2, 2), mode="replicate").unfold(2, 5, 1)
    middle = torch.einsum("nchwi,ncihw->nchw", down, first.unflatten(1, (3, 5)))
    across = F.pad(middle, (2, 2, 0, 0), mode="replicate").unfold(3, 5, 1)
    theirs = torch.einsum("nchwj,ncjhw->nchw", across, second.unflatten(1, (3, 5)))
    ours = line_for("IFAN", x=x, F1=first, F2=second, k=5)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=FLOAT64_ROUNDINGS)


def test_line_of_igev_has_its_axes():
    disparity, weights = rand(2, 1, 5, 7), rand(2, 9, 20, 28)
    coarse = F.interpolate(F.unfold(4 * disparity, 3, padding=1).view(2, 9, 5, 7), scale_factor=4, mode="nearest")
    ours = line_for("IGEV", disp=disparity, weights=weights)
    torch.testing.assert_close(ours, (coarse * weights).sum(1), rtol=0, atol=FLOAT64_ROUNDINGS)


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
