"""The weights that ship with the package: docs/model_card.md tells what they were trained on and how they score."""

from pathlib import Path

COMPACT = "compact"
FILE = Path(__file__).parents[1] / "assets" / "weights" / f"{COMPACT}.safetensors"


def weights_file(name: str | Path | None) -> Path:
    """The file of weights of a name: ``compact``, or None, those that ship; else a path."""
    return FILE if name is None or str(name) == COMPACT else Path(name)
