"""Any other HDF5 file with a dataset ``views`` or ``LF``, or with only one: only the chunks of the window are read."""

from pathlib import Path
from typing import Any

from ..errors import LightFieldError
from ..light_field import LightField
from . import _hdf5
from ._array_file import ARRAY_OPTIONS, COMPANIONS, light_field_of
from ._format import Format
from .options import ReadOptions


def fits(path: Path) -> bool:
    return _hdf5.is_hdf5(path)


def read(path: Path, options: ReadOptions) -> LightField:
    """Datasets, or attributes of the file, tell about the views; see ``_array_file``."""
    if not path.is_file():
        raise LightFieldError(f"{path}: not an HDF5 file: it is a folder, want a file")
    shapes, attributes = _hdf5.shapes(path), _hdf5.attributes(path)

    def companion(name: str) -> Any:
        if name not in shapes:
            return attributes.get(name)
        with _hdf5.open_array(path, name) as array:
            value = array[()]
            return value.decode() if isinstance(value, bytes) else value

    return light_field_of(
        path,
        options,
        shapes,
        lambda name: _hdf5.dtype_of(path, name),
        _hdf5.open_array,
        companion,
        {"attributes": {name: value for name, value in attributes.items() if name not in COMPANIONS}},
    )


FORMAT = Format(
    "h5",
    read,
    fits,
    order=100,
    kind="HDF5",
    looks_like="any `.h5` with one array",
    layout="as `npz`",
    values="as `npz`",
    found_by="HDF5",
    options=ARRAY_OPTIONS,
    suffixes=(".h5", ".hdf5"),
    needs=("h5py",),
)
