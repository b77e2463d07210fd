"""Networks, light-field data and the command ``lfdeblur``, built on ``lfdeblur_ops``."""

from .deblur import deblur, load_network
from .networks import DRBNet
from .networks.receptive_field import exact_overlap
from .optimize import OptimizedDRBNet, optimize

__all__ = ["DRBNet", "OptimizedDRBNet", "deblur", "exact_overlap", "load_network", "optimize"]
