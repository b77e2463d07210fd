"""The pages in ``docs/ops`` say what the code says, and what they say of dtypes is so."""

import re

import pytest
import torch
from PIL import Image

import lfdeblur_ops
from docs.figures import op_drawings
from docs.figures import ops as pages
from lfdeblur_ops import _dispatch

C, SIDE = 16, 8  # channels that Winograd's transforms take


def _call(op, dtype, backend):
    """A small call of an op on the CPU."""

    def draw(*shape):
        if dtype in (torch.uint8, torch.uint16):
            return torch.ones(shape, dtype=torch.uint8).to(dtype)
        return torch.rand(shape).to(dtype)

    picture, weight = draw(1, C, SIDE, SIDE), draw(C, C, 3, 3)
    arguments = {
        "refocus": lambda: (draw(3, 3, 1, SIDE, SIDE), 0.5),
        "dynamic_filter": lambda: (picture, draw(1, 9, SIDE, SIDE), 3),
        "dynamic_filter_separable": lambda: (picture, draw(1, 6, SIDE, SIDE), 3),
        "drb_head": lambda: (picture, draw(9, C), None, picture, draw(C, C), None, picture, 3),
        "conv3x3": lambda: (picture, weight),
        "conv_transpose4x4": lambda: (picture, draw(C, C, 4, 4)),
        "residual_block": lambda: (picture, weight, None, weight, None),
    }
    return getattr(lfdeblur_ops, op)(*arguments[op](), backend=backend)


@pytest.mark.parametrize("op", [None, *pages.OPS])
def test_pages_are_as_they_are_made(op):
    path = pages.PAGES / f"{op or 'index'}.md"
    page = path.read_text(encoding="utf-8")
    assert pages.updated(page, op) == page, "run python -m docs.figures.ops"
    assert all((path.parent / file).is_file() for file in re.findall(r"\]\(([^)#:]+)[^)]*\)", page))


def test_every_page_has_its_drawing(tmp_path):
    op_drawings.draw(tmp_path)
    drawn = {file.name for file in tmp_path.iterdir()}
    assert drawn == {file.name for file in pages.PAGES.glob("*.png")} == {f"{op}.png" for op in pages.OPS}
    with Image.open(tmp_path / "refocus.png") as picture:
        assert picture.getpixel((0, 0))[:3] == (255, 255, 255)  # opaque: dark pages show it too


def test_a_mark_that_is_missing_is_named():
    with pytest.raises(ValueError, match="made:backends"):
        pages.updated("no marks", "refocus")


def test_every_op_has_a_page():
    assert set(pages.OPS) == set(_dispatch._IMPLS)


@pytest.mark.parametrize("op", pages.OPS)
def test_dtypes_of_the_table_run_and_others_do_not(op):
    head, _, *rows = [line.strip("| \n").split(" | ") for line in pages.backends(op).splitlines()]
    for name, device, *cells in rows:
        backend = name.strip("`")
        if device == "NVIDIA GPUs" or lfdeblur_ops.backends(op)[backend] != "ok":
            continue
        for dtype, said in zip(head[2:], cells, strict=True):
            if said == "yes":
                _call(op, getattr(torch, dtype), backend)
            else:
                with pytest.raises(lfdeblur_ops.BackendError):
                    _call(op, getattr(torch, dtype), backend)
