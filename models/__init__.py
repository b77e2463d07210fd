"""Networks, light-field data and the command ``lfdeblur``, built on ``lfdeblur_ops``."""

from .networks import DRBNet

__all__ = ["DRBNet"]
