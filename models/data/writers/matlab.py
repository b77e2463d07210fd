"""MATLAB's ``.mat``: ``lftoolbox`` as LFToolbox saves it (7.3, weights as a channel); ``epfl`` (5), colours alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..light_field import LightField
from ..readers._optional import need
from ..readers.matlab import OURS
from ._arrays import companions, metadata_losses
from ._hdf5 import created
from ._layout import KEPT, Layout
from ._pictures import rounded_weights

_USER_BLOCK = 512  # bytes before the HDF5 file, with MATLAB's header
_LARGEST = 2**31 - 1  # bytes of a variable of version 5
_CLASSES = {"float32": "single", "float64": "double"}


def write_lftoolbox(light_field: LightField, path: Path) -> None:
    """``LF[t, s, v, u, c]``, the last channel weight; LFToolbox's own functions want it there."""
    views = _channels_last(light_field)
    full: Any = np.iinfo(views.dtype).max if views.dtype.kind == "u" else 1.0
    weights = np.ones(views.shape[:2]) if light_field.weights is None else light_field.weights.double().cpu().numpy()
    weight = (np.rint(weights * full) if views.dtype.kind == "u" else weights).astype(views.dtype)
    alpha = np.broadcast_to(weight[:, :, None, None, None], (*views.shape[:-1], 1))
    others = {name: value for name, value in _companions(light_field).items() if name != f"{OURS}weights"}
    told = {"Source": light_field.format, "Scene": light_field.scene}
    _write_7_3(path, {"LF": np.concatenate([views, alpha], -1), "LFMetadata": told, **others})


def write_epfl(light_field: LightField, path: Path) -> None:
    """Colours alone, ``LF[t, s, v, u, c]``; grey without the last axis, which MATLAB would drop."""
    views = _channels_last(light_field)
    variables = {"LF": views[..., 0] if views.shape[-1] == 1 else views, **_companions(light_field)}
    if views.nbytes > _LARGEST:
        _write_7_3(path, variables)
    else:
        need("scipy.io", path, "written").savemat(str(path), variables, do_compression=True)


def _companions(light_field: LightField) -> dict[str, Any]:
    return {OURS + name: value for name, value in companions(light_field).items()}


def _channels_last(light_field: LightField) -> np.ndarray:
    views = light_field.views.float() if light_field.dtype == torch.float16 else light_field.views
    return views.cpu().numpy().transpose(0, 1, 3, 4, 2)


def _write_7_3(path: Path, variables: dict[str, Any]) -> None:
    """HDF5 behind MATLAB's header; arrays with their axes reversed, each with the name of its class."""
    with created(path, userblock_size=_USER_BLOCK) as file:
        _put(file, variables)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, written by lfdeblur HDF5 schema 1.00 .".ljust(116)
    with path.open("r+b") as raw:
        raw.write(header + bytes(8) + b"\x00\x02IM")


def _put(group: Any, variables: dict[str, Any]) -> None:
    for name, value in variables.items():
        if isinstance(value, dict):
            inner = group.create_group(name)
            inner.attrs["MATLAB_class"] = np.bytes_("struct")
            _put(inner, value)
        elif isinstance(value, str):
            codes = np.frombuffer(value.encode("utf-16-le"), np.uint16)
            item = group.create_dataset(name, data=codes[:, None])
            item.attrs["MATLAB_class"] = np.bytes_("char")
            item.attrs["MATLAB_int_decode"] = np.int32(2)
        else:
            array = np.asarray(value)
            array = array[None] if array.ndim == 1 else array  # MATLAB has no arrays of one axis
            item = group.create_dataset(name, data=array.T)
            item.attrs["MATLAB_class"] = np.bytes_(_CLASSES.get(array.dtype.name, array.dtype.name))


def _losses(light_field: LightField) -> Iterator[str]:
    if light_field.dtype == torch.float16:
        yield "MATLAB has no float16: views become float32, of the same values"
    yield from metadata_losses(light_field)


def _lftoolbox_losses(light_field: LightField) -> Iterator[str]:
    yield from rounded_weights(light_field)
    yield from _losses(light_field)


LFTOOLBOX = Layout(
    "lftoolbox",
    write_lftoolbox,
    order=80,
    writes="`SCENE__Decoded.mat`, v7.3: `LF[t, s, y, x, c]`, the last channel weight; `LFMetadata`",
    format="lftoolbox",
    endings=("__Decoded.mat",),
    keeps=KEPT,
    floats=True,
    losses=_lftoolbox_losses,
    needs=("h5py",),
)
EPFL = Layout(
    "epfl",
    write_epfl,
    order=130,
    writes="`SCENE.mat`, v5 (of 2 GB and more v7.3): `LF[t, s, y, x, c]`",
    format="epfl",
    endings=(".mat",),
    keeps=KEPT,
    floats=True,
    losses=_losses,
    needs=("scipy", "h5py"),
)
