"""The example in docs/export.md, as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lfdeblur_models import cli, deblur, load_network

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


def test_onnx_runtime_in_ten_lines(tmp_path, monkeypatch):
    example = re.search(r"<!-- example -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    assert len([line for line in example.splitlines() if line]) <= 10
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main(["export", "--to", "onnx", "--out", "drbnet.onnx"])
    y, x = np.mgrid[0:61, 0:77]
    Image.fromarray(np.stack([x * 3, y * 4, x + y], -1).astype(np.uint8)).save("photo.jpg")
    exec(example, {})
    photo, restored = (np.asarray(Image.open(name)).transpose(2, 0, 1) for name in ("photo.jpg", "restored.png"))
    want = deblur(load_network(), torch.from_numpy(photo.copy()).float() / 255) * 255
    assert (torch.from_numpy(restored.copy()) - want).abs().max() <= 0.51
    assert (restored != photo).any()
