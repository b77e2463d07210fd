"""Runtimes that an engineer deploys a network with on a CPU, as rivals: ONNX Runtime and OpenVINO on our ONNX file."""

import tempfile
from importlib.util import find_spec
from pathlib import Path

import torch

from lfdeblur_models import DRBNet, export

ONNX_RUNTIME, OPENVINO, OPENVINO_LOW = "ONNX Runtime", "OpenVINO", "OpenVINO, bfloat16"
PACKAGES = {
    ONNX_RUNTIME: ("onnx", "onnxruntime"),
    OPENVINO: ("onnx", "openvino"),
    OPENVINO_LOW: ("onnx", "openvino"),
}


def missing(name: str) -> str | None:
    """Why a rival cannot run here; None: it can, or is none of these."""
    packages = [package for package in PACKAGES.get(name, ()) if find_spec(package) is None]
    return f"{', '.join(packages)} not installed" if packages else None


class Runtime:
    """A network in a runtime, on pictures in [-1, 1], with as many threads as PyTorch has."""

    def __init__(self, name, network: DRBNet, views):
        self.name = name
        self.pictures = [((view + 1) / 2).numpy() for view in views.values()]
        self.folder = tempfile.TemporaryDirectory()
        self.path = export(network, "onnx", Path(self.folder.name) / "network.onnx")

    def load(self):
        """A call that has taken no memory yet but for the weights; it keeps what it then takes."""
        run = self._onnxruntime() if self.name == ONNX_RUNTIME else self._openvino()
        return lambda: torch.from_numpy(run()) * 2 - 1

    def _onnxruntime(self):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        given = {one.name: picture for one, picture in zip(session.get_inputs(), self.pictures, strict=True)}
        return lambda: session.run(None, given)[0]

    def _openvino(self):
        import openvino

        hints = {
            "INFERENCE_PRECISION_HINT": "bf16" if self.name == OPENVINO_LOW else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        compiled = openvino.Core().compile_model(self.path, "CPU", hints)
        return lambda: compiled(self.pictures)[0]
