"""The architecture in one file of plain PyTorch: the network's own results, where nothing of ours can be imported."""

import pytest
import torch

from lfdeblur_models.export import architecture
from lfdeblur_ops.testing import MANY_ROUNDINGS

from .alone import in_a_process
from .networks import SHAPES, SIZES, restored, unit_pictures


@pytest.mark.parametrize("name", ["single", "dual"])
def test_alone_in_a_process(tmp_path, networks, name):
    for got, want in in_a_process(tmp_path, networks[name], module=architecture.__file__):
        torch.testing.assert_close(got, want, rtol=0, atol=MANY_ROUNDINGS)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("size", [*SIZES, (1, 1, 1), (1, 5, 2)])
def test_results_of_the_network(networks, name, size):
    network = networks[name]
    pictures = unit_pictures(network, size)
    with torch.no_grad():
        got = architecture.network_of(network.state_dict())(*pictures)
    torch.testing.assert_close(got, restored(network, pictures), rtol=0, atol=MANY_ROUNDINGS)


def test_half_beside_a_wide_picture(networks):
    network = networks["single"]
    plain, pictures = architecture.network_of(network.state_dict()), unit_pictures(network, SIZES[0])
    with torch.no_grad():
        wide, narrow = plain(*pictures), plain.half()(*pictures)
    assert narrow.dtype == torch.float32
    assert 0 < (narrow - wide).abs().max() < 1e-2
