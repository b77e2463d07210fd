"""Networks, light-field data and the command ``lfdeblur``, built on ``lfdeblur_ops``."""

import sys

from .export import Card, ExportError, export
from .inference import deblur as _deblur
from .inference import optimize as _optimize
from .inference.deblur import deblur
from .inference.exported import ExportedFileError, ExportedNetwork, open_exported
from .inference.optimize import OptimizedDRBNet, optimize
from .inference.tiled_network import BudgetError
from .io.errors import ImageError, LfdeblurError, OutputError
from .networks import DRBNet, PretrainedError
from .networks.receptive_field import exact_overlap
from .networks.weights import WeightsError, load_network

__all__ = [
    "BudgetError",
    "Card",
    "DRBNet",
    "ExportError",
    "ExportedFileError",
    "ExportedNetwork",
    "ImageError",
    "LfdeblurError",
    "OptimizedDRBNet",
    "OutputError",
    "PretrainedError",
    "WeightsError",
    "deblur",
    "exact_overlap",
    "export",
    "load_network",
    "open_exported",
    "optimize",
]

# The attributes are functions, as ever; ``import lfdeblur_models.deblur`` finds the modules of the same names.
sys.modules[f"{__name__}.deblur"], sys.modules[f"{__name__}.optimize"] = _deblur, _optimize
