"""Light fields that are one array in a file: which axis is which, and reading no more than a window of it.

``.npz``, Zarr and plain HDF5 files have one array with the views and others that tell about them.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..arguments import disparity_limits
from ..errors import LightFieldError
from ..lazy_views import LazyViews, Window
from ..light_field import TRANSFERS, LightField
from .options import ReadOptions

AXES = "vuyxc"  # row and column of a view, row and column of a pixel, channel
NAMES = ("views", "LF", "lf", "light_field", "lightfield")
ARRAY_OPTIONS = ("dataset", "axes")
COMPANIONS = ("weights", "disparity", "disparity_range", "transfer", "view_positions", "metadata_json")
_DTYPES = {np.dtype(name): getattr(torch, name) for name in ("uint8", "uint16", "float16", "float32", "float64")}

# Gives an array that can be sliced, for as long as the context lasts. To pickle the light field, it has to be a
# function of a module, or a partial of one.
Open = Callable[[], AbstractContextManager[Any]]


def light_field_of(
    path: Path,
    options: ReadOptions,
    shapes: Mapping[str, tuple[int, ...]],
    dtype_of: Callable[[str], np.dtype],
    open_array: Callable[[Path, str], Any],
    companion: Callable[[str], Any],
    metadata: dict[str, Any],
) -> LightField:
    """The light field of a file of named arrays.

    Args:
        shapes: of every array by its name.
        dtype_of: gives an array's dtype.
        open_array: a function of a module; gives a context with an array that can be sliced.
        companion: gives the value of one of ``COMPANIONS``, or None where the file has no such array or attribute.
    """
    name = choose(path, {key: shape for key, shape in shapes.items() if key not in COMPANIONS}, options.dataset)
    axes = find_axes(path, name, shapes[name], options.axes)
    told = {key: companion(key) for key in COMPANIONS}
    transfer = "srgb" if told["transfer"] is None else check_transfer(path, told["transfer"])
    opened = partial(open_array, path, name)
    sizes = dict(zip(axes, shapes[name], strict=True))
    grid = sizes["v"], sizes["u"]
    weights = None if told["weights"] is None else check_weights(path, told["weights"], grid)
    pixels = array_pixels(
        path,
        name,
        opened,
        shapes[name],
        dtype_of(name),
        axes,
        transfer=transfer,
        lens=True,
        weights=weights,
        bounded=transfer != "linear",
    )
    return LightField.of_lazy_views(
        pixels,
        disparity_range=None if told["disparity_range"] is None else check_range(path, told["disparity_range"]),
        disparity=None if told["disparity"] is None else check_disparity(path, told["disparity"], pixels.shape[-2:]),
        positions=None if told["view_positions"] is None else check_positions(path, told["view_positions"], grid),
        metadata=read_metadata(path, told["metadata_json"]) | metadata | {"dataset": name, "axes": axes},
    )


def choose(path: Path, found: dict[str, tuple[int, ...]], wanted: str | None) -> str:
    """The name of the array that holds the views, among all in a file with their shapes.

    Raises:
        LightFieldError: there is none of the wanted name, or of a usual one, and more or fewer than one of rank 4 or 5.
    """
    if wanted is not None:
        if wanted not in found:
            raise LightFieldError(f"{path}: no dataset named {wanted!r}, got {_listed(found)}")
        return wanted
    for name in NAMES:
        if name in found:
            return name
    fitting = [name for name, shape in found.items() if len(shape) in (4, 5)]
    if len(fitting) != 1:
        raise LightFieldError(
            f"{path}: no dataset named {', '.join(NAMES)}, got {_listed(found)}; tell with dataset which one it is"
        )
    return fitting[0]


def find_axes(path: Path, name: str, shape: tuple[int, ...], told: str | None) -> str:
    """The axes of an array, as letters of ``AXES`` in its order.

    Raises:
        LightFieldError: of a wrong rank, without an axis of channels, or with two that could be it.
    """
    if told is not None:
        if sorted(told) not in (sorted(AXES), sorted(AXES[:-1])):
            raise LightFieldError(f"axes: got {told!r}, want the letters of {AXES!r} in the array's order")
        if len(told) != len(shape):
            raise LightFieldError(f"{path}: {name} has shape {list(shape)}, which axes {told!r} do not fit")
        return told
    if len(shape) == 4:
        return "vuyx"
    if len(shape) != 5:
        raise LightFieldError(
            f"{path}: {name} has rank {len(shape)} (shape {list(shape)}), want [V, U, H, W, C], [V, U, C, H, W] or "
            "[V, U, H, W]"
        )
    last, third = shape[4] in (1, 3, 4), shape[2] in (1, 3, 4)
    if last and third and name not in NAMES:
        raise LightFieldError(f"{path}: {name} has shape {list(shape)}: which axis is the channels'? Tell with axes")
    if third and (not last or name == "views"):
        return "vucyx"
    if last:
        return "vuyxc"
    raise LightFieldError(
        f"{path}: {name} has shape {list(shape)}, want 1, 3 or 4 channels at its end or in its middle; or tell the axes"
    )


def array_pixels(
    path: Path,
    name: str,
    open_array: Open,
    shape: tuple[int, ...],
    dtype: np.dtype,
    axes: str,
    *,
    transfer: str = "srgb",
    lens: bool = False,
    weights: Tensor | None = None,
    bounded: bool = True,
) -> LazyViews:
    """Pixels of an array of any order of axes; of 2 or 4 channels the last one is weight, as LFToolbox has it.

    Where the file itself says that it holds light, values are not ``bounded``: light may exceed white.

    Raises:
        LightFieldError: a dtype or a number of channels that no light field has.
    """
    sizes = dict(zip(axes, shape, strict=True))
    channels = sizes.get("c", 1)
    if 0 in shape or channels not in (1, 2, 3, 4):
        raise LightFieldError(f"{path}: {name} has shape {list(shape)}, want 1 to 4 channels and no axis empty")
    native = dtype.newbyteorder("=")
    if native not in _DTYPES:
        raise LightFieldError(f"{path}: {name} has dtype {dtype}, want uint8, uint16 or floating point")
    colours = 1 if channels < 3 else 3
    return LazyViews(
        (sizes["v"], sizes["u"], colours, sizes["y"], sizes["x"]),
        _DTYPES[native],
        partial(_read, path, name, open_array, axes, bounded),
        weights=weights,
        transfer=transfer,
        lens=lens,
    )


def _read(
    path: Path, name: str, open_array: Open, axes: str, bounded: bool, window: Window
) -> tuple[Tensor, Tensor | None]:
    part = {"v": window.rows, "u": window.columns, "y": window.y, "x": window.x, "c": slice(None)}
    with open_array() as array:
        values = np.asarray(array[tuple(part[axis] for axis in axes)])
    if "c" not in axes:
        values, axes = values[..., None], axes + "c"
    values = values.transpose([axes.index(axis) for axis in "vucyx"])
    weight = values[:, :, -1] if values.shape[2] in (2, 4) else None
    colours = values[:, :, : 1 if values.shape[2] < 3 else 3]
    views = np.ascontiguousarray(colours, dtype=values.dtype.newbyteorder("="))
    if not views.flags.writeable:  # still the mapped file, which a tensor must not write to
        views = views.copy()
    if views.dtype.kind == "f":
        _check_range(path, name, views, bounded)
    if weight is None:
        return torch.from_numpy(views), None
    full = np.iinfo(weight.dtype).max if weight.dtype.kind == "u" else 1.0
    mean = torch.from_numpy(weight.mean((2, 3), dtype=np.float64) / full)
    if not bool((mean > 0).any()):
        raise LightFieldError(f"{path}: {name}: every view has weight 0")
    return torch.from_numpy(views), None if bool((mean == 1).all()) else mean.float().clamp(0, 1)


def _check_range(path: Path, name: str, views: np.ndarray, bounded: bool) -> None:
    low, high = float(views.min()), float(views.max())
    if not (low >= -1 and high <= 2) and (bounded or not np.isfinite(low + high)):  # resampled views overshoot a little
        want = "floating point in [0, 1]" if bounded else "light"
        raise LightFieldError(f"{path}: {name} has values from {low:g} to {high:g}, want {want}")


def _listed(found: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name!r} {list(shape)}" for name, shape in found.items()) or "no array"


def check_weights(path: Path, weights: np.ndarray, grid: tuple[int, ...]) -> Tensor:
    """``[V, U]`` float32. Raises LightFieldError: of another shape, outside [0, 1], or all zero."""
    if tuple(weights.shape) != tuple(grid):
        raise LightFieldError(
            f"{path}: weights: got shape {list(weights.shape)}, want {list(grid)} as the grid of views"
        )
    values = np.asarray(weights, np.float32)
    if not (np.isfinite(values).all() and values.min() >= 0 and 0 < values.max() <= 1):
        raise LightFieldError(f"{path}: weights: want values in [0, 1], not all 0")
    return torch.from_numpy(values)


def check_positions(path: Path, positions: np.ndarray, grid: tuple[int, ...]) -> Tensor:
    """``[V, U, 2]`` float32. Raises LightFieldError: of another shape, or not finite."""
    values = np.ascontiguousarray(positions, np.float32)
    if values.shape != (*grid, 2) or not np.isfinite(values).all():
        raise LightFieldError(
            f"{path}: view_positions: got shape {list(values.shape)}, want {[*grid, 2]}, finite numbers"
        )
    return torch.from_numpy(values)


def check_disparity(path: Path, disparity: np.ndarray, size: Iterable[int]) -> Tensor:
    """``[H, W]`` float32. Raises LightFieldError: of another shape."""
    if list(disparity.shape) != list(size):
        raise LightFieldError(f"{path}: disparity: got shape {list(disparity.shape)}, want {list(size)} as the views")
    return torch.from_numpy(np.ascontiguousarray(disparity, np.float32))


def check_range(path: Path, limits: Any) -> tuple[float, float]:
    """Lowest and highest disparity. Raises LightFieldError: not two numbers in this order."""
    return disparity_limits(f"{path}: disparity_range", limits)


def read_metadata(path: Path, text: Any) -> dict[str, Any]:
    """Metadata that were kept as JSON; empty for None. Raises LightFieldError: something else."""
    if text is None:
        return {}
    try:
        told = json.loads(str(text))
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise LightFieldError(f"{path}: metadata_json: want an object of JSON, as text")
    return told


def check_transfer(path: Path, transfer: Any) -> str:
    """``srgb`` or ``linear``. Raises LightFieldError."""
    if str(transfer) not in TRANSFERS:
        raise LightFieldError(f"{path}: transfer: got {str(transfer)!r}, want 'srgb' or 'linear'")
    return str(transfer)
