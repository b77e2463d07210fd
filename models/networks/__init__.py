"""Networks for defocus deblurring."""

from ..io.errors import OutputError
from .drbnet import DRBNet
from .pretrained import PretrainedError
from .weights import WeightsError

__all__ = ["DRBNet", "OutputError", "PretrainedError", "WeightsError"]
