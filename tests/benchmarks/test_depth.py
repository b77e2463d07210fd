"""The benchmark of depth: its rivals are right, and the page says what was measured."""

import json

import torch

from benchmarks import depth
from tests.data.depth.layered_scene import square_before_wall


def test_the_sweep_and_its_numpy_form_find_the_same():
    field, truth = square_before_wall(size=48, grid=(5, 5))
    planes = torch.linspace(-1.4, 1.9, 34)
    ours, theirs = depth.sweep(field, planes), depth.numpy_sweep(field, planes)
    assert ((ours - theirs).abs() < 1e-3).float().mean() > 0.98  # elsewhere planes are as good as each other
    assert ((ours - truth).abs()[6:-6, 6:-6] < 0.1).float().mean() > 0.5  # outlines and noise are not judged


def test_rows_are_measured():
    field, truth = square_before_wall(size=48, grid=(5, 5))
    rows = depth.measure(field.copy(disparity=truth, disparity_range=(-1.3, 1.8)))
    assert rows[0]["what"] == "estimate_disparity"
    assert rows[0]["mse_100"] < rows[1]["mse_100"]
    assert all(row["seconds"] > 0 for row in rows)


def test_the_page_says_what_was_measured():
    text = depth.PAGE.read_text()
    assert depth.updated(text, json.loads(depth.RESULTS.read_text())) == text, "run python -m benchmarks.depth --page"
