"""What docs/light_fields.md tells to do, done with a smaller sensor."""

import re

import pytest

from docs.figures import light_fields


@pytest.mark.slow
def test_the_commands_and_the_code_of_the_page(tmp_path, monkeypatch):
    text = light_fields.PAGE.read_text()
    lines = light_fields.commands(text)
    assert [line[0] for line in lines] == ["simulate", "info", "depth", "refocus", "refocus", "convert", "generate"]
    lines[0] += ["--size", "1000x1000"]
    lines[3][3] = "50,50"  # a pixel of the smaller picture
    light_fields.run(tmp_path, lines)
    for name in (
        "look/contact_sheet.png", "depth/disparity.pfm", "depth/points.ply", "sharp/all_in_focus.png",
        "views/chess", "pairs/manifest.parquet",
    ):  # fmt: skip
        assert (tmp_path / name).exists(), name
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(code, {})
    assert (tmp_path / "small.npz").is_file()
