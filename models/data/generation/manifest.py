"""The manifest: a Parquet table with a row for every pair: what it was made from, every choice behind it, its files."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NewType, get_args, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

Seed = NewType("Seed", int)  # of 63 bits; other whole numbers are small
COLUMN_TYPES = {str: pa.string(), int: pa.int32(), float: pa.float64(), Seed: pa.int64()}


@dataclass(frozen=True, kw_only=True)
class PairRow:
    """One pair. Its fields are the columns of the manifest, which adds the recipe.

    Attributes:
        key: ``SCENE_apA_PP``, by which a shard knows the pair.
        scene, source, format: the light field's name, where it came from, and how it was read.
        aperture, aperture_shape: as an option tells it, and its shape alone.
        disparity_range_from, disparity_map_from: ``given``, ``ground truth`` or ``estimated``.
        truth_kind: ``center`` or ``refocus``.
        defocused, truth, truth_refocus, left, right, defocus_map, contact_sheet: files below the output folder, as
            ``SHARD#MEMBER`` in a shard; None where the recipe makes none.
        aperture_index, plane_index: from 1, from 0: the numbers in the files' names.
        view_rows, view_columns: of the light field. height, width: of the pictures.
        disparity, disparity_low, disparity_high: of the plane in focus and of the scene, pixels per view step.
        aperture_radius, aperture_softness, aperture_diameter: in view steps.
        coc_min, coc_max: of the circles of confusion, in pixels, signed; None without defocus maps.
        truths_psnr_db: between the two kinds of truth; None where they are equal.
        noise_shot, noise_read: in units of white.
    """

    key: str
    scene: str
    source: str
    format: str
    aperture: str
    aperture_shape: str
    disparity_range_from: str
    disparity_map_from: str
    truth_kind: str
    interpolation: str
    defocused: str | None = None
    truth: str | None = None
    truth_refocus: str | None = None
    left: str | None = None
    right: str | None = None
    defocus_map: str | None = None
    contact_sheet: str | None = None
    aperture_index: int
    plane_index: int
    view_rows: int
    view_columns: int
    height: int
    width: int
    scale: int
    bits: int
    defocus_map_zero: int
    defocus_map_steps_per_pixel: int
    disparity: float
    aperture_radius: float
    aperture_softness: float
    aperture_diameter: float
    disparity_low: float | None
    disparity_high: float | None
    coc_min: float | None
    coc_max: float | None
    truths_psnr_db: float | None
    noise_shot: float
    noise_read: float
    seed: Seed
    noise_seed: Seed

    def to_json(self) -> dict[str, Any]:
        """All that is known of the pair, without the files that there are not."""
        return {name: value for name, value in asdict(self).items() if value is not None or name not in FILES}


FILES = [column.name for column in fields(PairRow) if column.default is None]


def _schema() -> pa.Schema:
    hints = get_type_hints(PairRow).items()
    columns = [(name, COLUMN_TYPES[get_args(hint)[0] if get_args(hint) else hint]) for name, hint in hints]
    schema = pa.schema(columns)
    return schema.insert(schema.get_field_index(FILES[0]), pa.field("recipe", pa.string()))


SCHEMA = _schema()


def pair_key(scene: str, aperture_index: int, plane_index: int) -> str:
    """``SCENE_apA_PP``; a dot in the scene's name would end a WebDataset key."""
    return f"{scene.replace('.', '_')}_ap{aperture_index}_{plane_index:02d}"


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
