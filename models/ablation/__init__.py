"""Small variants of network, data and loss, trained and scored in one table."""

from ..data.errors import DataError, LightFieldError
from ..features import FeatureWeightsError
from ..io.errors import OutputError
from ..training.errors import ConfigError

__all__ = ["ConfigError", "DataError", "FeatureWeightsError", "LightFieldError", "OutputError"]
