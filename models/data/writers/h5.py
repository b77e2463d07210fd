"""HDF5: a dataset ``views`` and others beside it."""

from pathlib import Path

from ..light_field import LightField
from ._arrays import companions, metadata_losses
from ._hdf5 import created
from ._layout import KEPT, Layout


def write(light_field: LightField, path: Path) -> None:
    """Text as strings of variable length, as h5py and HDF5's own tools have them."""
    with created(path) as file:
        file.create_dataset("views", data=light_field.views.cpu().numpy())
        for name, value in companions(light_field).items():
            file.create_dataset(name, data=value)


LAYOUT = Layout(
    "h5",
    write,
    order=50,
    writes="`SCENE.h5`: datasets as `npz` has arrays",
    format="h5",
    endings=(".h5", ".hdf5"),
    keeps=KEPT,
    floats=True,
    losses=metadata_losses,
    needs=("h5py",),
)
