"""MATLAB's ``.mat`` files: version 5 through SciPy, version 7.3 (HDF5, axes reversed) through h5py.

``lftoolbox`` is what LFToolbox saves: ``IMG_0001__Decoded.mat`` with ``LF[t, s, v, u, c]``, c = R, G, B, weight.
``epfl`` is ``LF[U, V, H, W, C]`` alone, as EPFL's and other sets are packed for super-resolution.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import LightFieldError
from ..light_field import LightField
from . import _hdf5
from ._array_file import (
    ARRAY_OPTIONS,
    COMPANIONS,
    array_pixels,
    check_disparity,
    check_positions,
    check_range,
    check_transfer,
    check_weights,
    find_axes,
    read_metadata,
)
from ._format import Format
from ._optional import need
from .options import ReadOptions

_HEADER = 128
_CLASSES = {"single": "float32", "double": "float64"}
_LFTOOLBOX = ("LFMetadata", "WhiteImageMetadata", "LensletGridModel", "DecodeOptions", "RectOptions")
OURS = "lfdeblur_"  # before the names of what lies beside the views in files that this program writes
_HIDDEN = ("#refs#", "#subsystem#")


class Variable(NamedTuple):
    """A variable's size as MATLAB has it, and its class as NumPy calls it."""

    shape: tuple[int, ...]
    dtype: str


def fits_lftoolbox(path: Path) -> bool:
    if not is_mat(path):
        return False
    found = variables(path)
    return "LF" in found and (any(name in found for name in _LFTOOLBOX) or found["LF"].shape[4:] == (4,))


def read_lftoolbox(path: Path, options: ReadOptions) -> LightField:
    """In linear light, as LFToolbox decodes; where its colour correction was run, tell ``transfer='srgb'``."""
    return read_mat(path, "linear", options)


def fits_epfl(path: Path) -> bool:
    return is_mat(path)


def read_epfl(path: Path, options: ReadOptions) -> LightField:
    """Colours as they are shown; of more than three channels the fourth is weight."""
    return read_mat(path, "srgb", options)


def is_mat(path: Path) -> bool:
    """Whether the file starts like a ``.mat`` file of version 5 or 7.3.

    One named ``.mat`` may also be plain HDF5: other programs write version 7.3 without MATLAB's header.
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        has_header = file.read(7) == b"MATLAB "
    return has_header or (path.suffix.lower() == ".mat" and _hdf5.is_hdf5(path))


def variables(path: Path) -> dict[str, Variable]:
    """Every variable of the file; pixels are not read.

    Raises:
        LightFieldError: truncated, damaged, or the library to read it is missing.
    """
    if _hdf5.is_hdf5(path):
        with _hdf5.opened(path) as file:
            return {
                name: Variable(tuple(item.shape)[::-1], str(item.dtype)) if hasattr(item, "shape") else Variable((), "")
                for name, item in file.items()
                if name not in _HIDDEN
            }
    _check_version_5(path)
    try:
        found = need("scipy.io", path).whosmat(str(path))
    except LightFieldError:
        raise
    # SciPy raises many kinds on damaged files.
    except Exception as error:
        raise LightFieldError(f"{path}: not a readable .mat file, or damaged ({error})") from error
    return {name: Variable(tuple(shape), _CLASSES.get(kind, kind)) for name, shape, kind in found}


def read_mat(path: Path, transfer: str, options: ReadOptions) -> LightField:
    """The variable ``LF[t, s, v, u, c]``, or the one that ``dataset`` names; a fourth channel is weight."""
    if not is_mat(path):
        raise LightFieldError(f"{path}: not a .mat file of MATLAB 5 or 7.3")
    found = variables(path)
    name = options.dataset or "LF"
    if name not in found:
        raise LightFieldError(f"{path}: no variable named {name!r}, got {', '.join(found) or 'none'}")
    shape, kind = found[name]
    axes = find_axes(path, name, shape, options.axes or ("vuyxc" if len(shape) == 5 else None))
    try:
        dtype = np.dtype(kind)
    except TypeError:
        raise LightFieldError(f"{path}: {name} is of class {kind or 'struct'}, want an array of numbers") from None
    if _hdf5.is_hdf5(path):
        shape, axes = shape[::-1], axes[::-1]
    told = {key: _companion(path, OURS + key) if OURS + key in found else None for key in COMPANIONS}
    sizes = dict(zip(axes, shape, strict=True))
    grid = sizes["v"], sizes["u"]
    weights, disparity, limits, places = (
        told[key] for key in ("weights", "disparity", "disparity_range", "view_positions")
    )
    pixels = array_pixels(
        path,
        name,
        partial(_open, path, name),
        shape,
        dtype,
        axes,
        transfer=transfer if told["transfer"] is None else check_transfer(path, told["transfer"]),
        lens=True,
        bounded=told["transfer"] != "linear",
        weights=None if weights is None else check_weights(path, weights, grid),
    )
    return LightField.of_lazy_views(
        pixels,
        disparity_range=None if limits is None else check_range(path, limits.flatten()),
        disparity=None if disparity is None else check_disparity(path, disparity, pixels.shape[-2:]),
        positions=None if places is None else check_positions(path, places, grid),
        metadata=read_metadata(path, told["metadata_json"])
        | {
            "matlab": "7.3" if _hdf5.is_hdf5(path) else "5",
            "variables": [other for other in found if other != name],
            "channels": shape[axes.index("c")] if "c" in axes else 1,
        },
    )


def _companion(path: Path, name: str) -> Any:
    """A small variable: text, or an array as MATLAB has it."""
    with _open(path, name) as array:
        values, is_text = np.asarray(array[()]), getattr(array, "attrs", {}).get("MATLAB_class") == b"char"
    if is_text:
        return values.astype("<u2").T.tobytes().decode("utf-16-le")
    if values.dtype.kind == "U":
        return "".join(values.flatten())
    return values.T if _hdf5.is_hdf5(path) else values


@contextmanager
def _open(path: Path, name: str) -> Iterator[Any]:
    """Version 7.3 is sliced in the file. Version 5 is compressed as a whole and can only be read as a whole."""
    if _hdf5.is_hdf5(path):
        with _hdf5.open_array(path, name) as array:
            yield array
        return
    try:
        array = need("scipy.io", path).loadmat(str(path), variable_names=[name])[name]
    except LightFieldError:
        raise
    except Exception as error:
        raise LightFieldError(f"{path}: {name} cannot be read, the file is damaged ({error})") from error
    yield array


def _check_version_5(path: Path) -> None:
    """Every data element is as long as its tag says; SciPy would find that out only when it reads it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_HEADER)
        order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
        at = _HEADER
        whole = order is not None
        while whole and at < size:
            file.seek(at)
            tag = file.read(8)
            whole = len(tag) == 8
            if whole:
                at += 8 + struct.unpack(f"{order}II", tag)[1]
                whole = at <= size
    if not whole:
        raise LightFieldError(f"{path}: truncated: the .mat file ends before its variables do")


LFTOOLBOX = Format(
    "lftoolbox",
    read_lftoolbox,
    fits_lftoolbox,
    order=60,
    kind="MATLAB 5 and 7.3",
    looks_like="`IMG_0001__Decoded.mat`, v5 or v7.3",
    layout="`LF[t, s, y, x, c]`, c = R, G, B, weight",
    values="uint8, uint16, float; **linear**",
    found_by="`LFMetadata` and others beside `LF`, or four channels",
    options=ARRAY_OPTIONS,
    suffixes=(".mat",),
    endings=("__Decoded",),
    needs=("scipy", "h5py"),
)
EPFL = Format(
    "epfl",
    read_epfl,
    fits_epfl,
    order=70,
    kind="MATLAB 5 and 7.3",
    looks_like="`SCENE.mat`, v5 or v7.3",
    layout="`LF[t, s, y, x, c]`, c >= 3",
    values="as stored, sRGB",
    found_by="any other `.mat`",
    options=ARRAY_OPTIONS,
    suffixes=(".mat",),
    needs=("scipy", "h5py"),
)
