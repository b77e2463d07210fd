"""The weights that ship with the package: docs/model_card.md tells what they were trained on and how they score."""

from pathlib import Path

FILE = Path(__file__).parents[1] / "assets" / "weights" / "compact.safetensors"


def default_weights() -> Path:
    """The file of the single-view network that is used where none is given."""
    return FILE
