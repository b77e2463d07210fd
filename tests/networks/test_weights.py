"""Files of weights: what they say of the network, and what their tensors say."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from lfdeblur_models import DRBNet, load_network
from lfdeblur_models.networks.configuration import VARIANTS
from lfdeblur_models.networks.weights import WeightsError, save_weights

SMALL = {"width": 6, "kernel_size": 3, "scales": 2}
MANY = [f"more.{i}" for i in range(30)]
TENSORS = DRBNet(**SMALL).state_dict()


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_file_tells_the_network(tmp_path, views, variant):
    network, path = DRBNet(views, variant=variant, **SMALL), tmp_path / "weights.safetensors"
    save_weights(network.configuration, network.state_dict(), path)
    loaded = load_network(path)
    assert loaded.configuration == network.configuration
    frozen = [name for name, parameter in network.named_parameters() if not parameter.requires_grad]
    assert [name for name, parameter in loaded.named_parameters() if not parameter.requires_grad] == frozen
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, network.state_dict()[name].half().float())


@pytest.mark.parametrize("variant", ["full", "single-scale"])
def test_without_metadata_the_shapes_tell(tmp_path, variant):
    network, path = DRBNet(2, variant=variant, **SMALL), tmp_path / "weights.safetensors"
    save_file(network.state_dict(), path)
    assert load_network(path).configuration == network.configuration


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"views": 2}, "its metadata say views=2, its tensors have views=1"),
        ({"width": 8}, "its metadata say width=8, its tensors have width=6"),
        ({"kernel_size": 5}, "its metadata say kernel_size=5, its tensors have kernel_size=3"),
        ({"scales": 3}, "its metadata say scales=3, its tensors have scales=2"),
        ({"scales": 3, "variant": "no-residual"}, "its metadata say scales=3, its tensors have scales=2"),
        ({"variant": "single-scale"}, "its metadata say variant=single-scale, its tensors have variant=full"),
        ({"variant": "no-dynamic-filter"}, "its metadata say variant=no-dynamic-filter, its tensors hold that branch"),
        ({"width": 0}, "its metadata 'drbnet' are no configuration: width: got 0, want at least 1"),
        ({"depth": 3}, "its metadata 'drbnet' are no configuration: .*'depth'"),
    ],
    ids=str,
)
def test_metadata_that_the_tensors_contradict(tmp_path, change, message):
    path = tmp_path / "weights.safetensors"
    tensors = DRBNet(**SMALL).state_dict()
    save_file(tensors, path, {"drbnet": json.dumps({"views": 1, "variant": "full"} | SMALL | change)})
    with pytest.raises(WeightsError, match=rf"weights.safetensors: not weights of DRBNet: {message}") as error:
        load_network(path)
    assert "\n" not in str(error.value)


def test_metadata_of_others_and_metadata_that_are_no_json(tmp_path):
    path, tensors = tmp_path / "weights.safetensors", DRBNet(**SMALL).state_dict()
    save_file(tensors, path, {"format": "pt"})
    assert load_network(path).width == 6
    save_file(tensors, path, {"drbnet": "small"})
    with pytest.raises(WeightsError, match="its metadata 'drbnet' are no configuration"):
        load_network(path)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"encoder.0.0.weight": 3}, "got int for 'encoder.0.0.weight', want a tensor"),
        ({1: torch.zeros(2)}, "state_dict: got 1, want names of tensors"),
        ({"encoder.0.0.weight": torch.zeros(3)}, r"encoder.0.0.weight has the shape \[3\], want that of"),
        ({"encoder.0.0.weight": torch.zeros(6, 3, 3, 3)}, r"holds no restore.0.filters.2.weight"),
        ({**TENSORS, "bottleneck.0.bias": torch.ones(12).int()}, "bottleneck.0.bias holds int32, want floating point"),
        ({**TENSORS, "bottleneck.0.bias": torch.full((12,), float("nan"))}, "bottleneck.0.bias holds NaN"),
        ({"fc.weight": torch.zeros(1)}, r"[0-9]+ missing: (\S+, ){19}\S+ and [0-9]+ more; 1 unexpected: fc.weight$"),
        ({**TENSORS, **dict.fromkeys(MANY, torch.zeros(1))}, r" unexpected: (\S+, ){19}\S+ and 10 more$"),
        ({**TENSORS, **{f"encoder.{i}.0.bias": torch.zeros(1) for i in range(40)}}, "scales: got 40, want at most"),
        ({**TENSORS, "encoder.0.0.weight": torch.zeros(2000, 3, 1, 1)}, "width: got 2000, want at most 1024"),
        ([1], "got list, want a state dict"),
    ],
)
def test_pickles_of_something_else(tmp_path, state, message):
    torch.save(state, tmp_path / "n.pt")
    with pytest.raises(WeightsError, match=rf"n.pt: .*{message}") as error:
        load_network(tmp_path / "n.pt")
    assert "\n" not in str(error.value)


def test_a_pickle_with_code_is_not_told_to_be_run(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "n.pt")
    with pytest.raises(WeightsError, match=r"n.pt: not a readable file of weights \(not a pickle of tensors alone\)$"):
        load_network(tmp_path / "n.pt")


def test_tensors_are_in_half_precision(tmp_path):
    network, path = DRBNet(**SMALL), tmp_path / "weights.safetensors"
    save_weights(network.configuration, network.state_dict(), path)
    assert {value.dtype for value in load_file(path).values()} == {torch.float16}
