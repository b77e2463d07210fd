"""Zarr: a group with an array ``views``, a chunk for each view."""

from pathlib import Path

import numpy as np

from ..light_field import LightField
from ..readers._optional import need
from ._arrays import companions, metadata_losses
from ._layout import KEPT, Layout


def write(light_field: LightField, path: Path) -> None:
    """In the version that the installed library writes; text and the range of disparity are attributes."""
    zarr = need("zarr", path, "written")
    views = light_field.views.cpu().numpy()
    arrays, attributes = {"views": views}, {}
    for name, value in companions(light_field).items():
        if name in ("weights", "disparity", "view_positions"):
            arrays[name] = value
        else:
            attributes[name] = value.tolist() if isinstance(value, np.ndarray) else value
    root = zarr.open_group(str(path), mode="w")
    root.attrs.update(attributes)
    for name, values in arrays.items():
        grid = values.shape[:2] if name == "views" else ()
        chunks = (*(1 for _ in grid), *values.shape[len(grid) :])
        options = {"shape": values.shape, "chunks": chunks, "dtype": values.dtype}
        array = zarr.open_array(store=str(path), path=name, mode="w", **options)
        for index in np.ndindex(*grid):  # one chunk at a time: of several, some are still written when one has failed
            array[index] = values[index]


LAYOUT = Layout(
    "zarr",
    write,
    order=70,
    writes="`SCENE.zarr`: arrays as `npz`, a chunk per view",
    format="zarr",
    endings=(".zarr",),
    keeps=KEPT,
    floats=True,
    owns=r"zarr\.json|\.zgroup|\.zattrs|\.zmetadata|views|weights|disparity|view_positions",
    losses=metadata_losses,
    needs=("zarr",),
)
