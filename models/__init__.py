"""Networks, light-field data and the command ``lfdeblur``, built on ``lfdeblur_ops``."""

from .deblur import deblur, load_network
from .networks import DRBNet
from .optimize import OptimizedDRBNet, optimize
from .tiling import exact_overlap

__all__ = ["DRBNet", "OptimizedDRBNet", "deblur", "exact_overlap", "load_network", "optimize"]
