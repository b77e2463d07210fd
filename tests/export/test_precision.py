"""Half precision: refused where a weight or a feature is beyond it."""

import copy

import pytest
import torch

from lfdeblur_models import ExportError, export


@pytest.mark.parametrize("to", ["onnx", "openvino", "torch", "hub", "spandrel"])
def test_a_weight_that_overflows(networks, tmp_path, to):
    network = copy.deepcopy(networks["single"])
    with torch.no_grad():
        network.encoder[0][0].weight[0, 0, 0, 0] = 7e4
    out = tmp_path / {"onnx": "a.onnx", "openvino": "a.xml", "torch": "a.pt2"}.get(to, "a")
    message = r"precision: fp16 overflows, encoder.0.0.weight reaches 7e\+04 and fp16 holds 65504; use fp32"
    with pytest.raises(ExportError, match=message):
        export(network, to, out, precision="fp16")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [1e3, float("nan")])
def test_a_feature_that_overflows(networks, tmp_path, value):
    network = copy.deepcopy(networks["single"])
    with torch.no_grad():
        network.bottleneck[1].conv1.weight.mul_(value)
        network.bottleneck[1].conv2.weight.mul_(1e3)
    message = (
        "fp16 overflows, the output of bottleneck.1" if value == 1e3 else "network: bottleneck.1.conv1.weight holds NaN"
    )
    with pytest.raises(ExportError, match=message):
        export(network, "onnx", tmp_path / "a.onnx", precision="fp16")


def test_the_network_is_not_changed(networks, tmp_path):
    network = networks["single"]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export(network, "hub", tmp_path / "a", precision="fp16")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
