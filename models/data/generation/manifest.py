"""The manifest: a Parquet table with every choice behind every pair."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_FILES = ("defocused", "truth", "truth_refocus", "left", "right", "defocus_map", "contact_sheet")
_TEXT = ("scene", "source", "format", "aperture", "aperture_shape", "disparity_range_from", "disparity_map_from")
_WHOLE = ("aperture_index", "plane_index", "view_rows", "view_columns", "height", "width", "scale", "bits")
_REAL = (
    "disparity",
    "aperture_radius",
    "aperture_softness",
    "aperture_diameter",
    "disparity_low",
    "disparity_high",
    "coc_min",
    "coc_max",
    "truths_psnr_db",
    "noise_shot",
    "noise_read",
)
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("key", *_TEXT, "truth_kind", "interpolation", "recipe", *_FILES)]
    + [(name, pa.int32()) for name in (*_WHOLE, "defocus_map_zero", "defocus_map_steps_per_pixel")]
    + [(name, pa.float64()) for name in _REAL]
    + [(name, pa.int64()) for name in ("seed", "noise_seed")]
)


def write_manifest(path: Path, records: Iterable[dict[str, Any]]) -> int:
    """Write the rows of all records, one record in memory at a time.

    Args:
        path: of the Parquet file.
        records: each with ``rows``, dicts of the schema's columns (missing ones are null), and ``recipe``.

    Returns: the number of rows.
    """
    count = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for record in records:
            recipe = json.dumps(record["recipe"], sort_keys=True)
            rows = [row | {"recipe": recipe} for row in record["rows"]]
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
            count += len(rows)
    return count
