"""ONNX files in the programs that run them: each gives a call of pictures ``[N, 3, H, W]`` in [0, 1]."""

import numpy as np
import onnxruntime
import openvino
import torch


def in_onnxruntime(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def run(pictures):
        given = {name: picture.numpy() for name, picture in zip(names, pictures, strict=True)}
        return torch.from_numpy(session.run(["output"], given)[0])

    return run


def in_openvino(path):
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = ("input", "left", "right")

    def run(pictures):
        given = {name: picture.numpy() for name, picture in zip(names, pictures, strict=False)}
        return torch.from_numpy(np.array(compiled(given)["output"]))

    return run


RUNTIMES = {"onnxruntime": in_onnxruntime, "openvino": in_openvino}
