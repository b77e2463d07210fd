"""Training of DRBNet in two stages; needs the extra ``train``."""

from ..data.errors import DataError, LightFieldError
from ..features import FeatureWeightsError
from ..io.errors import ImageError, OutputError
from ..networks.weights import WeightsError
from .errors import ConfigError, DivergedError

__all__ = [
    "ConfigError",
    "DataError",
    "DivergedError",
    "FeatureWeightsError",
    "ImageError",
    "LightFieldError",
    "OutputError",
    "WeightsError",
]
