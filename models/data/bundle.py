"""What ``.npz``, Zarr and plain HDF5 files share: named arrays, one with the views and others that tell about them."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import array_pixels, check_disparity, check_range, check_transfer, check_weights, choose, find_axes
from .light_field import LightField
from .options import ReadOptions
from .scene_name import scene_name

COMPANIONS = ("weights", "disparity", "disparity_range", "transfer")


def light_field_of(
    path: Path,
    format: str,
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
    weights = None if told["weights"] is None else check_weights(path, told["weights"], (sizes["v"], sizes["u"]))
    pixels = array_pixels(
        path, name, opened, shapes[name], dtype_of(name), axes, transfer=transfer, lens=True, weights=weights
    )
    return LightField.of_pixels(
        pixels,
        format=format,
        scene=scene_name(path),
        disparity_range=None if told["disparity_range"] is None else check_range(path, told["disparity_range"]),
        disparity=None if told["disparity"] is None else check_disparity(path, told["disparity"], pixels.shape[-2:]),
        metadata=metadata | {"dataset": name, "axes": axes},
    )
