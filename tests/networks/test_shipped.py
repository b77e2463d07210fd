"""The weights that ship: what docs/model_card.md says of them."""

import torch

from lfdeblur_models import DRBNet, deblur, load_network
from lfdeblur_models.evaluation.metrics import psnr
from lfdeblur_models.features import FeatureDistance, feature_network
from lfdeblur_models.io.images import read_image
from lfdeblur_models.networks.shipped import FILE, weights_file

from ..data_paths import data_folder


def picture(kind, name):
    """The middle of a picture."""
    return read_image(data_folder("pairs-lfdof") / kind / f"{name}.png")[0][:, 300:540, 300:620].float() / 255


def test_the_file_is_small_and_of_a_compact_network():
    assert FILE.stat().st_size < 12e6
    network = load_network()
    assert type(network) is DRBNet
    assert (network.views, network.width, network.kernel_size, network.scales) == (1, 16, 7, 4)
    assert not network.training
    assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


def test_the_shipped_weights_have_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compact").write_text("mine")
    assert weights_file(None) == weights_file("compact") == FILE
    assert weights_file(tmp_path / "compact") == tmp_path / "compact"
    assert load_network("compact").width == 16


def test_pictures_never_trained_on_become_better_and_sharp_ones_stay():
    network, distance = load_network(), FeatureDistance(feature_network())
    for name in ("IMG_2385", "IMG_6316"):
        defocused, truth = picture("input", name), picture("ground_truth", name)
        restored = deblur(network, defocused)
        before, after = (float(psnr(given[None], truth[None])) for given in (defocused, restored))
        assert after > before + 1.8
        assert float(distance(restored[None], truth[None])) < float(distance(defocused[None], truth[None]))
        assert float(psnr(deblur(network, truth)[None], truth[None])) > 40
