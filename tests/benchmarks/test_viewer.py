"""The viewer's benchmark: what it counts, and that the page says what was measured."""

import json
import random

import pytest

from benchmarks import viewer
from lfdeblur_models.viewer.light_fields.settings import Settings


def test_figures_count_from_the_move_to_the_painted_frame():
    frames = [
        {"asked": 100 * i, "painted": 100 * i + (90 if i == 19 else 40), "milliseconds": 20, "draft": True}
        for i in range(25)
    ]
    moves = [100 * i - 10 for i in range(25)] + [100 * i + 1 for i in range(25)]  # later ones were not asked for yet
    told = viewer.figures(moves, frames)
    assert told["frames a second"] == pytest.approx(10)
    assert told["median latency, ms"] == 50
    assert told["95 % latency, ms"] == 100
    assert (told["server, ms"], told["frames"]) == (20, 20)


def test_what_a_soak_asks_for_can_be_drawn():
    rng = random.Random(1)
    for _ in range(300):
        Settings.of(viewer.anything(rng, 2)).shot.weights((7, 7))


def test_the_page_says_what_was_measured():
    text = viewer.PAGE.read_text()
    assert viewer.updated(text, json.loads(viewer.RESULTS.read_text())) == text, (
        "run python -m benchmarks.viewer --page"
    )
