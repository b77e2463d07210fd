"""Networks for defocus deblurring."""

from .drbnet import DRBNet
from .weights import WeightsError

__all__ = ["DRBNet", "WeightsError"]
