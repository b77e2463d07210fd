"""What lies beside the views in files of named arrays, as ``readers/_array_file.py`` reads it."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..light_field import LightField
from ._layout import metadata_of


def companions(light_field: LightField) -> dict[str, Any]:
    """Weights, disparity, its range, positions, transfer and metadata (as JSON), of those that there are."""
    told: dict[str, Any] = {"transfer": light_field.transfer}
    if light_field.disparity_range is not None:
        told["disparity_range"] = np.array(light_field.disparity_range, np.float64)
    for name in ("weights", "disparity", "positions"):
        value = getattr(light_field, name)
        if value is not None:
            told["view_positions" if name == "positions" else name] = value.cpu().numpy().astype(np.float32, copy=False)
    kept = {key: value for key, value in metadata_of(light_field).items() if _is_plain(value)}
    if kept:
        told["metadata_json"] = json.dumps(kept)
    return told


def metadata_losses(light_field: LightField) -> Iterator[str]:
    """``losses`` of a layout that keeps metadata as JSON."""
    left_out = [key for key, value in metadata_of(light_field).items() if not _is_plain(value)]
    if left_out:
        yield f"metadata that are no numbers, words or lists of them: left out {', '.join(left_out)}"


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
