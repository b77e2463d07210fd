"""Networks for defocus deblurring."""

from .drbnet import DRBNet

__all__ = ["DRBNet"]
