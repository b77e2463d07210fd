"""docs/at_scale.md holds what its script makes of the measured rates, and the arithmetic is right."""

import json

import pytest

from docs.figures import at_scale

MACHINE = {
    "name": "X",
    "build_info": {"cpu_capability": "avx2"},
    "cores": 1,
    "load_average": 0.0,
    "versions": {"torch": "2"},
    "date": "2026-01-01T",
    "commit": "c",
}


def test_the_page_is_what_the_script_makes():
    page = at_scale.PAGE.read_text(encoding="utf-8")
    assert page == at_scale.with_tables(page, json.loads(at_scale.RATES.read_text(encoding="utf-8")))


def test_arithmetic():
    rates = {
        "machine": MACHINE,
        "pairs_per_scene": 10,
        "generate": {"folders": {"seconds_per_scene": 36.0, "bytes_per_scene": 2e7, "start": 2.0}},
        "draw": {"folders": {"what": "crops", "seconds_per_pair": 0.01, "seconds_to_open_a_pair": 0.0012}},
    }
    made = dict(at_scale.blocks(rates))
    assert "| folders | 36.0 | 0.28 | 2.00 | 2.0 |" in made["rates"]
    assert "| a million, folders | 100 000 | 1 000 | 16 hours | 2.0 TB |" in made["pairs"]
    assert "| crops | 10.0 | 100 |" in made["draw"]
    assert "20 core minutes |" in made["draw"]


def test_a_page_without_its_marks_is_an_error():
    with pytest.raises(ValueError, match="machine"):
        at_scale.with_tables("nothing", {"machine": MACHINE})
