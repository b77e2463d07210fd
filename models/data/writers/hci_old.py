"""The first HCI benchmark's ``.h5``: ``LF[t, s, v, u, c]``, columns from left to right, and depth where it is known."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..light_field import LightField
from ._hdf5 import created
from ._layout import Layout, metadata_of

_CAMERA = ("dH", "focalLength", "shift")


def write(light_field: LightField, path: Path) -> None:
    """Depth of the centre view in float64, so that the disparity is got back as it was; the rest as attributes."""
    attributes, depth = _attributes(light_field), _depth(light_field)
    with created(path) as file:
        file.create_dataset("LF", data=light_field.views.cpu().numpy().transpose(0, 1, 3, 4, 2))
        if depth is not None:
            file.create_dataset("GT_DEPTH", data=depth)
        file.attrs.update(attributes)


def losses(light_field: LightField) -> Iterator[str]:
    left_out = [key for key, value in metadata_of(light_field).items() if not isinstance(value, (int, float, str))]
    if left_out:
        yield f"hci-old holds numbers and words as metadata: left out {', '.join(left_out)}"
    if light_field.disparity is not None and _depth(light_field) is None:
        yield (
            "hci-old holds depth, which takes an odd grid, dH, focalLength and shift, and disparities of finite depth: "
            "the disparity is left out"
        )


def _attributes(light_field: LightField) -> dict[str, Any]:
    """Numbers and words; the camera's are those of these views, as other programs know no ``view_step``."""
    held = (int, float, str)
    told: dict[str, Any] = {key: value for key, value in metadata_of(light_field).items() if isinstance(value, held)}
    step, scale = told.pop("view_step", 1), told.pop("pixel_scale", 1)
    for name, factor in zip(_CAMERA, (step, scale, step * scale), strict=True):
        if factor != 1 and isinstance(told.get(name), (int, float)):
            told[name] *= factor
    return told


def _depth(light_field: LightField) -> np.ndarray | None:
    """``[H, W]`` float64; None where it is not known of every pixel."""
    told = _attributes(light_field)
    numbers = [float(told[name]) for name in _CAMERA if isinstance(told.get(name), (int, float))]
    if light_field.disparity is None or len(numbers) < len(_CAMERA) or not all(side % 2 for side in light_field.grid):
        return None
    baseline, focal_length, shift = numbers
    apart = light_field.disparity.double().cpu().numpy() + shift
    with np.errstate(divide="ignore"):
        depth = baseline * focal_length / apart
    return depth if bool(np.isfinite(depth).all() and (depth > 0).all()) else None


LAYOUT = Layout(
    "hci-old",
    write,
    order=140,
    writes="`SCENE.h5`: `LF[t, s, y, x, c]`, `GT_DEPTH[y, x]`, attributes",
    format="hci-old",
    endings=(".h5", ".hdf5"),
    transfer="srgb",
    keeps=("disparity", "metadata"),
    losses=losses,
    needs=("h5py",),
)
