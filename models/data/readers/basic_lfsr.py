"""BasicLFSR's ``.h5`` files: luma mosaics of all views, stored transposed, for angular and spatial super-resolution."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import LightFieldError
from ..lazy_views import LazyViews, Window
from ..light_field import LightField
from . import _hdf5
from ._format import Format
from .options import ReadOptions

_NAMES = ("Hr_SAI_y", "Lr_SAI_y")
_FOLDER = re.compile(r"SR_(\d+)x(\d+)_(\d+)x")  # data_for_training/SR_5x5_4x/EPFL/000001.h5


def fits(path: Path) -> bool:
    return _hdf5.is_hdf5(path) and any(name in _hdf5.shapes(path) for name in _NAMES)


def read(path: Path, options: ReadOptions) -> LightField:
    """Y of YCbCr as one grey channel, high resolution unless ``dataset`` says ``Lr_SAI_y``.

    The mosaic has view ``(v, u)`` at rows ``v*H..`` and columns ``u*W..``; in the file, rows and columns are swapped.
    How many views it has is in the name of a folder above, or told by ``grid``.
    """
    if not path.is_file():
        raise LightFieldError(f"{path}: not a BasicLFSR file: it is a folder, want a file")
    shapes = _hdf5.shapes(path)
    wanted = (options.dataset,) if options.dataset else _NAMES
    name = next((name for name in wanted if name in shapes), None)
    if name is None:
        raise LightFieldError(f"{path}: no dataset named {' or '.join(wanted)}, got {', '.join(shapes) or 'none'}")
    grid = options.grid or _grid_of(path)
    if grid is None:
        raise LightFieldError(
            f"{path}: how many views {name} has is told by a folder like SR_5x5_4x, or tell it with grid"
        )
    if len(shapes[name]) != 2:
        raise LightFieldError(f"{path}: {name} has rank {len(shapes[name])}, want 2: a mosaic of views")
    width, height = shapes[name]
    if width % grid[1] or height % grid[0] or 0 in shapes[name]:
        raise LightFieldError(
            f"{path}: {name} has {height} rows and {width} columns, no multiple of {grid[0]}x{grid[1]} views"
        )
    size = height // grid[0], width // grid[1]
    dtype = _hdf5.dtype_of(path, name)
    if dtype.kind != "f":
        raise LightFieldError(f"{path}: {name} has dtype {dtype}, want floating point in [0, 1]")
    return LightField.of_lazy_views(
        LazyViews((*grid, 1, *size), torch.float32, partial(_read, path, name, size)),
        metadata={"dataset": name, "channel": "Y of YCbCr (16/255 to 235/255)"},
    )


def _grid_of(path: Path) -> tuple[int, int] | None:
    for part in reversed(path.resolve().parts):
        if (match := _FOLDER.fullmatch(part)) is not None:
            return int(match[1]), int(match[2])
    return None


def _read(path: Path, name: str, size: tuple[int, int], window: Window) -> tuple[Tensor, Tensor | None]:
    rows, columns, height, width = window.shape
    views = np.empty((rows, columns, 1, height, width), np.float32)
    with _hdf5.open_array(path, name) as mosaic:
        for v in range(rows):
            for u in range(columns):
                y = (window.rows.start + v) * size[0] + window.y.start
                x = (window.columns.start + u) * size[1] + window.x.start
                views[v, u, 0] = mosaic[x : x + width, y : y + height].T
    return torch.from_numpy(views), None


FORMAT = Format(
    "basic-lfsr",
    read,
    fits,
    order=80,
    kind="HDF5",
    looks_like="`SR_5x5_4x/SET/000001.h5` with `Hr_SAI_y`, `Lr_SAI_y`",
    layout="transposed mosaic, view `(t, s)` at `[s*W + x, t*H + y]`",
    values="float32 luma",
    found_by="datasets",
    options=("dataset", "grid"),
    suffixes=(".h5",),
    needs=("h5py",),
)
