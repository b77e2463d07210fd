"""The sets of standard ONNX operators that graphs are written in; known without the package onnx."""

from .errors import ExportError

OPSETS = range(17, 22)  # of older ones Shape cannot be told a part, of newer ones nothing is needed


def check_opset(opset: int) -> None:
    """Raise ExportError where the graph cannot be written in an opset."""
    if opset not in OPSETS:
        age = "old" if opset < OPSETS[0] else "new"
        raise ExportError(f"opset: got {opset}, too {age}, want {OPSETS[0]} to {OPSETS[-1]}")
