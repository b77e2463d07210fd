"""Networks, light-field data and the command ``lfdeblur``, built on ``lfdeblur_ops``.

Nothing is imported before it is asked for, PyTorch neither.
"""

import logging
import sys
from typing import TYPE_CHECKING

from .system.lazy import OtherName, import_when_asked

if TYPE_CHECKING:
    from .export import Card, ExportError, export
    from .inference.deblur import deblur
    from .inference.exported import ExportedFileError, ExportedNetwork, open_exported
    from .inference.optimize import OptimizedDRBNet, optimize
    from .inference.tiled_network import BudgetError
    from .io.errors import ImageError, LfdeblurError, OutputError
    from .networks import DRBNet, PretrainedError
    from .networks.receptive_field import exact_overlap
    from .networks.weights import WeightsError, load_network
    from .system.progress import Cancelled, Progress
    from .system.version import __version__

__all__ = [
    "BudgetError",
    "Cancelled",
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
    "Progress",
    "WeightsError",
    "__version__",
    "deblur",
    "exact_overlap",
    "export",
    "load_network",
    "open_exported",
    "optimize",
]

import_when_asked(__name__)

# The attributes are functions, as ever; ``import lfdeblur_models.deblur`` finds the modules of the same names.
for _name in ("deblur", "optimize"):
    sys.modules[f"{__name__}.{_name}"] = OtherName(f"{__name__}.{_name}", f"{__name__}.inference.{_name}")

logging.getLogger("lfdeblur").addHandler(logging.NullHandler())  # a program that wants the messages says so
