"""The first HCI benchmark (Wanner et al., VMV 2013): one ``.h5`` per scene, dataset ``LF`` as ``[t, s, v, u, c]``."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import LightFieldError
from ..lazy_views import LazyViews, Window
from ..light_field import LightField, central
from . import _hdf5
from ._array_file import ARRAY_OPTIONS, array_pixels, find_axes
from ._format import Format
from ._handedness import columns_backwards
from .options import ReadOptions

_LF, _DEPTH = "LF", "GT_DEPTH"
_ENOUGH = 256  # pixels in the middle of a view, to tell left from right
_GREY = (0.299, 0.587, 0.114)


def fits(path: Path) -> bool:
    return _hdf5.is_hdf5(path) and _LF in _hdf5.shapes(path)


def read(path: Path, options: ReadOptions) -> LightField:
    """Rows from the top. Columns run from right to left in the published files and from left to right in converted
    ones: three views are read and compared to tell.

    With ``GT_DEPTH`` (``[t, s, v, u]``) and the attributes ``dH`` (baseline B), ``focalLength`` f and ``shift`` the
    true disparity of the centre view is ``B*f/Z - shift``, pixels per view step.
    """
    if not path.is_file():
        raise LightFieldError(f"{path}: not an HCI .h5 file: it is a folder, want a file")
    shapes, metadata = _hdf5.shapes(path), _hdf5.attributes(path)
    name = options.dataset or _LF
    if name not in shapes:
        raise LightFieldError(f"{path}: no dataset named {name!r}, got {', '.join(shapes) or 'none'}")
    axes = find_axes(path, name, shapes[name], options.axes or ("vuyxc" if len(shapes[name]) == 5 else None))
    pixels = array_pixels(
        path, name, partial(_hdf5.open_array, path, name), shapes[name], _hdf5.dtype_of(path, name), axes
    )
    backwards = _backwards(pixels)
    if backwards:
        pixels = LazyViews(pixels.shape, pixels.dtype, partial(_read_backwards, pixels))
    metadata["columns"] = {True: "right to left", False: "left to right", None: "taken as they are"}[backwards]
    disparity = _disparity(path, shapes, metadata, pixels.shape)
    return LightField.of_lazy_views(
        pixels,
        disparity_range=None if disparity is None else (float(disparity.min()), float(disparity.max())),
        disparity=disparity,
        metadata=metadata,
    )


def _backwards(pixels: LazyViews) -> bool | None:
    rows, columns, channels, height, width = pixels.shape
    if rows < 2 or columns < 2 or min(height, width) < 16:
        return None
    row, column = (rows - 1) // 2, (columns - 1) // 2
    y, x = central(height, min(height, _ENOUGH)), central(width, min(width, _ENOUGH))

    def grey(v: int, u: int) -> np.ndarray:
        window = Window(slice(v, v + 1), slice(u, u + 1), y, x)
        view = pixels.crop(window).load()[0][0, 0]
        full = 1.0 if view.is_floating_point() else torch.iinfo(view.dtype).max
        weights = torch.tensor(_GREY if channels == 3 else (1.0,))
        return (torch.einsum("c,chw->hw", weights, view.float()) / full).numpy()

    return columns_backwards(grey(row, column), grey(row, column + 1), grey(row + 1, column))


def _read_backwards(pixels: LazyViews, window: Window) -> tuple[Tensor, Tensor | None]:
    """A window of columns counted from the other end."""
    columns = slice(pixels.shape[1] - window.columns.stop, pixels.shape[1] - window.columns.start)
    views, weights = pixels.crop(window._replace(columns=columns)).load()
    return views.flip(1), None if weights is None else weights.flip(1)


def _disparity(
    path: Path, shapes: dict[str, tuple[int, ...]], metadata: dict[str, Any], shape: torch.Size
) -> Tensor | None:
    numbers = [metadata.get(name) for name in ("dH", "focalLength", "shift")]
    if _DEPTH not in shapes or shape[0] % 2 == 0 or shape[1] % 2 == 0:
        return None
    baseline, focal_length, shift = (value if isinstance(value, (int, float)) else None for value in numbers)
    if baseline is None or focal_length is None or shift is None:
        return None
    want = (shape[0], shape[1], shape[3], shape[4])
    if shapes[_DEPTH] not in (want, want[2:]):
        raise LightFieldError(f"{path}: {_DEPTH} has shape {list(shapes[_DEPTH])}, want {list(want)} as the views")
    with _hdf5.open_array(path, _DEPTH) as array:
        depth = array[shape[0] // 2, shape[1] // 2] if len(array.shape) == 4 else array[()]
    if not (np.isfinite(depth).all() and depth.min() > 0):
        raise LightFieldError(f"{path}: {_DEPTH}: want depths above 0 at the centre view")
    return torch.from_numpy((baseline * focal_length / depth.astype(np.float64) - shift).astype(np.float32))


FORMAT = Format(
    "hci-old",
    read,
    fits,
    order=90,
    kind="HDF5",
    looks_like="`SCENE.h5` with `LF` and, mostly, `GT_DEPTH`",
    layout="`LF[t, s, y, x, c]`",
    values="uint8",
    found_by="dataset `LF`",
    options=ARRAY_OPTIONS,
    suffixes=(".h5",),
    names_of_all=("lf",),
    needs=("h5py",),
)
