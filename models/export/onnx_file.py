"""``--to onnx``: a network as an ONNX file."""

from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from lfdeblur_ops import __version__

from ..networks import DRBNet
from .onnx_graph import Network
from .opset import check_opset
from .precision import PRECISIONS

DIMENSIONS: list[str | int | None] = ["batch", 3, "height", "width"]  # darktable fixes the sizes by these names
INPUTS = ("input", "left", "right")
OUTPUT = "output"


def onnx_model(network: DRBNet, precision: str, opset: int, told: Mapping[str, str]) -> onnx.ModelProto:
    """The graph of a network.

    Args:
        network: single or dual view.
        precision: ``fp32`` or ``fp16``: of weights and features. The pictures are float32 in both, in and out and from
            scale to scale: who calls the network need not know, and its 24 bits stay for pictures of 16.
        opset: of the standard operators.
        told: the metadata.
    """
    check_opset(opset)
    dtype = PRECISIONS[precision]
    state = {name: value.detach().cpu().to(dtype).numpy() for name, value in network.state_dict().items()}
    graph = Network(network.configuration, state)
    inputs = INPUTS[: network.configuration.pictures]
    last = graph.restored(*inputs)
    graph.nodes[-1].output[0] = OUTPUT
    assert last not in [name for node in graph.nodes for name in node.input]
    value, imports = helper.make_tensor_value_info, [helper.make_opsetid("", opset)]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            told["name"],
            [value(name, TensorProto.FLOAT, DIMENSIONS) for name in inputs],
            [value(OUTPUT, TensorProto.FLOAT, DIMENSIONS)],
            list(graph.constants.values()),
        ),
        opset_imports=imports,
        ir_version=helper.find_min_ir_version_for(imports),  # for readers of that age
        producer_name="lfdeblur",
        producer_version=__version__,
        doc_string=told["description"],
    )
    helper.set_model_props(model, dict(told))
    onnx.checker.check_model(model, full_check=True)
    return model


def write_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Write a model; weights are in the file itself."""
    path.write_bytes(model.SerializeToString())
