"""Random weights of the shapes that the published checkpoints list."""

import json
from pathlib import Path

from lfdeblur_models.networks.reference import random_weights

SHAPES = json.loads((Path(__file__).parent / "drbnet_state_dict_shapes.json").read_text())


def official_weights(kind, seed=0):
    """Random tensors under the published names, large enough that every branch counts in the output."""
    return random_weights(SHAPES[kind], seed)
