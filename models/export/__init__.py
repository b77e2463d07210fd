"""Networks as files that other programs take: ONNX, OpenVINO, PyTorch, darktable, spandrel, the Hugging Face Hub."""

from ..inference.exported import ExportedFileError
from ..io.errors import OutputError
from .card import Card, card_of
from .errors import ExportError
from .targets import TARGETS, check_target, export

__all__ = ["TARGETS", "Card", "ExportError", "ExportedFileError", "OutputError", "card_of", "check_target", "export"]
