"""The weights that ship with the package."""

from pathlib import Path

FILE = Path(__file__).parent / "assets" / "weights" / "compact.safetensors"


def default_weights() -> Path | None:
    """The file of a single-view network that commands use where none is given, or None where none ships."""
    return FILE if FILE.is_file() else None
