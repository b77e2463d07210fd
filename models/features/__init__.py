"""Features of pretrained classifiers, for losses and distances between pictures."""

from .distance import FeatureDistance, FeatureLoss
from .network import FeatureNetwork, FeatureWeightsError
from .zoo import FEATURE_NETWORKS, feature_network

__all__ = [
    "FEATURE_NETWORKS",
    "FeatureDistance",
    "FeatureLoss",
    "FeatureNetwork",
    "FeatureWeightsError",
    "feature_network",
]
