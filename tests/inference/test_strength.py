"""How much of a restoration is taken: ``strength`` of ``deblur`` and its command."""

import pytest
import torch

from lfdeblur_models import cli, deblur
from lfdeblur_models.io.images import read_image, write_image
from lfdeblur_ops.testing import MANY_ROUNDINGS

from ..natural import natural


@pytest.fixture
def network():
    return natural(width=6, scales=2, kernel_size=3).eval()


def picture(channels=3):
    return torch.rand(channels, 30, 34, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [1, 3])
def test_between_the_picture_and_its_restoration(network, channels):
    given = picture(channels)
    for tile in (None, 32):
        restored = deblur(network, given, tile=tile, overlap=12)
        assert float((restored - given).abs().max()) > 0.05
        for strength in (0.0, 0.3, 1.0):
            mixed = deblur(network, given, strength=strength, tile=tile, overlap=12)
            torch.testing.assert_close(mixed, torch.lerp(given, restored, strength), rtol=0, atol=MANY_ROUNDINGS)


def test_the_command_takes_it(network, tmp_path, capsys):
    torch.save(network.state_dict(), tmp_path / "small.pt")
    write_image(tmp_path / "a.png", picture(), bits=8)
    options = ["--weights", str(tmp_path / "small.pt"), "--out", str(tmp_path / "out"), "--dtype", "float32"]
    with pytest.raises(SystemExit) as stop:
        cli.main(["deblur", str(tmp_path / "a.png"), "--strength", "0", *options])
    assert stop.value.code == 0
    assert torch.equal(read_image(tmp_path / "out" / "a.png")[0], read_image(tmp_path / "a.png")[0])
    with pytest.raises(SystemExit) as stop:
        cli.main(["deblur", str(tmp_path / "a.png"), "--strength", "1.5", "--out", str(tmp_path / "other")])
    assert stop.value.code == 2
    assert "--strength: got 1.5, want 0 to 1" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_no_other_strength(network, strength):
    with pytest.raises(ValueError, match=r"strength: got \S+, want 0 to 1"):
        deblur(network, picture(), strength=strength)
