"""ONNX files in ONNX Runtime and OpenVINO: the network's own results at any size, from standard operators."""

import json

import numpy as np
import onnx
import pytest
import torch

import lfdeblur_ops
from lfdeblur_models import ExportError, export, load_network
from lfdeblur_models.export import card_of
from lfdeblur_ops.testing import MANY_ROUNDINGS

from ..natural import psnr
from .networks import SHAPES, SIZES, restored, unit_pictures
from .runtimes import RUNTIMES, in_onnxruntime, in_openvino

HALF_DB = 50.0  # least PSNR of half precision against float32


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_results_of_the_network_at_any_size(networks, exported, name, runtime):
    network, run = networks[name], RUNTIMES[runtime](exported(name, "onnx"))
    for size in (*SIZES, (1, 1, 1)):
        pictures = unit_pictures(network, size)
        got = run(pictures)
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, restored(network, pictures), rtol=0, atol=MANY_ROUNDINGS)


@pytest.mark.parametrize("name", ["single", "dual"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_half_precision(networks, exported, name, runtime):
    network, path = networks[name], exported(name, "onnx", precision="fp16")
    run = RUNTIMES[runtime](path)
    for size in SIZES:
        pictures = unit_pictures(network, size)
        assert HALF_DB <= psnr(run(pictures), restored(network, pictures)) < 120
    kinds = {one.data_type for one in onnx.load(path).graph.initializer if one.name.endswith(".weight")}
    assert kinds == {onnx.TensorProto.FLOAT16}


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_weights_that_ship(tmp_path, to):
    network = load_network()
    path = export(network, to, tmp_path / ("a.onnx" if to == "onnx" else "a.xml"), card=card_of(None))
    pictures = unit_pictures(network, (1, 60, 44))
    got = (in_onnxruntime if to == "onnx" else in_openvino)(path)(pictures)
    torch.testing.assert_close(got, restored(network, pictures), rtol=0, atol=MANY_ROUNDINGS)


def test_standard_operators_free_sizes_and_what_the_file_tells(networks, exported):
    network = networks["single"]
    model = onnx.load(exported("single", "onnx"))
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]
    assert {node.domain for node in model.graph.node} == {""}
    assert not {"Constant", "Identity", "Loop", "If", "Scan"} & {node.op_type for node in model.graph.node}
    for value in (*model.graph.input, *model.graph.output):
        assert [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] == ["batch", 3, "height", "width"]
    tensors = {one.name: one for one in model.graph.initializer}
    for name, parameter in network.named_parameters():  # each once, under its own name
        assert np.array_equal(onnx.numpy_helper.to_array(tensors[name]), parameter.detach().numpy())
    told = {one.key: one.value for one in model.metadata_props}
    assert json.loads(told["drbnet"]) == {"views": 1, "width": 8, "kernel_size": 7, "scales": 3, "variant": "full"}
    assert told["overlap_exact"] == str(network.receptive_radius)
    assert int(told["overlap"]) <= int(told["overlap_exact"]) < int(told["tile"])
    assert told["made_by"].startswith(f"lfdeblur {lfdeblur_ops.__version__}")
    assert told["license"] == "unknown"


def test_the_same_network_gives_the_same_file(networks, exported, tmp_path):
    again = export(networks["single"], "onnx", tmp_path / "a.onnx")
    assert again.read_bytes() == exported("single", "onnx").read_bytes()


def test_the_card_of_the_weights_that_ship():
    card = card_of(None)
    assert (card.name, card.licence) == ("drbnet-compact", "Apache-2.0")
    assert "404 560 pairs" in card.data
    assert card_of("Weights v2.pth").name == "drbnet-weights-v2"
    assert card_of("Weights v2.pth").licence == "unknown"


@pytest.mark.parametrize("opset", [18, 21])
def test_newer_operators(networks, tmp_path, opset):
    path = export(networks["single"], "onnx", tmp_path / "a.onnx", opset=opset)
    assert onnx.load(path).opset_import[0].version == opset
    pictures = unit_pictures(networks["single"], SIZES[0])
    got = in_onnxruntime(path)(pictures)
    torch.testing.assert_close(got, restored(networks["single"], pictures), rtol=0, atol=MANY_ROUNDINGS)


@pytest.mark.parametrize(("opset", "age"), [(16, "old"), (11, "old"), (22, "new")])
def test_opsets_that_are_not_written(networks, tmp_path, opset, age):
    with pytest.raises(ExportError, match=f"opset: got {opset}, too {age}, want 17 to 21"):
        export(networks["single"], "onnx", tmp_path / "a.onnx", opset=opset)
    assert not list(tmp_path.iterdir())
