"""Scores of restored pictures against their truth."""

from ..data.errors import DataError
from ..features import FeatureWeightsError
from ..io.errors import OutputError

__all__ = ["DataError", "FeatureWeightsError", "OutputError"]
