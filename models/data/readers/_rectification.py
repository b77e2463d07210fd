"""Views of a camera array, rectified as they are read: a homography for each, from a calibration file."""

import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..bicubic import bicubic_at
from ..errors import LightFieldError
from ..lazy_views import LazyViews, Read, Window
from ..light_field import LightField
from ..positions import positions_of_cameras

_MARGIN = 3  # pixels that bicubic reads beyond a place, and one for rounding
_SINGULAR = 1e-9  # of the largest singular value, the smallest that a homography of pixels may have


def rectified(light_field: LightField, calibration: str | Path) -> LightField:
    """The light field with rectified views, of the same size; nothing is read of them yet.

    A rectified pixel is read between the picture's (bicubic), at its borders as the last pixel has it. What the files
    tell of disparity belongs to the pictures, and is dropped.

    Args:
        light_field: as its files have it: all views, uncropped.
        calibration: a JSON or NPZ file with ``homographies [V, U, 3, 3]``, in the order of the views, each of which
            takes a rectified pixel ``(x, y, 1)`` to one of the picture (pixel centres are whole numbers); and where
            the cameras stood on no exact grid, ``positions [V, U, 2]``, ``(v, u)`` in any unit.

    Raises:
        LightFieldError: the file cannot be read, has another shape, or a homography is singular or looks past the
            horizon.
    """
    path = Path(calibration)
    held = _load(path)
    homographies = _checked(path, held.get("homographies"), (*light_field.grid, 3, 3), "homographies")
    for row, column in np.ndindex(*light_field.grid):
        _check(path, row, column, homographies[row, column], light_field.size)
    positions = light_field.positions
    if "positions" in held:
        places = _checked(path, held["positions"], (*light_field.grid, 2), "positions")
        positions = positions_of_cameras(torch.from_numpy(places))
    # Scaled, so that the picture's pixel comes with a depth of about 1 everywhere.
    scaled = homographies / np.abs(homographies[..., 2:, 2:])
    unread: LazyViews = vars(light_field)["views"]
    pixels = unread.through(partial(_read, scaled, light_field.size))
    told = {"calibration": str(path)}
    return light_field.copy(
        views=pixels,
        weights=pixels,
        disparity=None,
        disparity_range=None,
        positions=positions,
        metadata=light_field.metadata | told,
    )


def _load(path: Path) -> dict[str, Any]:
    """What the file holds, by names."""
    try:
        if path.suffix.lower() == ".json":
            held = json.loads(path.read_text(encoding="utf-8"))
        else:
            with np.load(path, allow_pickle=False) as file:
                held = dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LightFieldError(f"calibration: {path} cannot be read as JSON or NPZ ({reason})") from error
    if not isinstance(held, dict):
        raise LightFieldError(f"calibration: {path} holds a {type(held).__name__}, want an object with 'homographies'")
    return held


def _checked(path: Path, value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    if value is None:
        raise LightFieldError(f"calibration: {path} holds no {name!r}")
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise LightFieldError(f"calibration: {path}: {name}: want numbers of shape {list(shape)}") from error
    if array.shape != shape:
        raise LightFieldError(
            f"calibration: {path}: {name}: got shape {list(array.shape)}, want {list(shape)} as the grid of views"
        )
    if not np.isfinite(array).all():
        raise LightFieldError(f"calibration: {path}: {name}: holds NaN or infinite values")
    return array


def _check(path: Path, row: int, column: int, homography: np.ndarray, size: tuple[int, int]) -> None:
    named = f"calibration: {path}: the homography of row {row}, column {column}"
    half = np.array(
        [[2 / size[1], 0, -1], [0, 2 / size[0], -1], [0, 0, 1]]
    )  # pixels to about -1 to 1: all of one scale
    values = np.linalg.svd(half @ homography @ np.linalg.inv(half), compute_uv=False)
    if values[-1] <= _SINGULAR * values[0]:
        raise LightFieldError(f"{named} is singular")
    corners = np.array([[x, y, 1] for y in (0, size[0] - 1) for x in (0, size[1] - 1)], np.float64)
    depth = (corners @ homography.T)[:, 2]
    if homography[2, 2] == 0 or not (depth * np.sign(homography[2, 2]) > 0).all():
        raise LightFieldError(f"{named} takes a part of the picture beyond the horizon")


def _read(homographies: np.ndarray, size: tuple[int, int], read: Read, window: Window) -> tuple[Tensor, Tensor | None]:
    """A window of the rectified views, from the part of the pictures that it needs."""
    rows, columns, height, width = window.shape
    kept = homographies[window.rows, window.columns]
    y, x = np.mgrid[window.y, window.x].astype(np.float64)
    corners = np.array([[x[i, j], y[i, j], 1] for i in (0, -1) for j in (0, -1)])
    ends = corners @ np.swapaxes(kept, -1, -2)
    ends = ends[..., :2] / ends[..., 2:]  # [V, U, 4, 2]: lines stay lines, so that the rest lies between these
    needed = []
    for axis, length in ((1, size[0]), (0, size[1])):
        low, high = np.floor(ends[..., axis].min()) - _MARGIN, np.ceil(ends[..., axis].max()) + _MARGIN + 1
        start = int(np.clip(low, 0, length - 1))
        needed.append(slice(start, int(np.clip(high, start + 1, length))))
    views, weights = read(window._replace(y=needed[0], x=needed[1]))
    places = np.stack([x, y, np.ones_like(x)], -1)
    out = torch.empty((rows, columns, views.shape[2], height, width), dtype=views.dtype)
    for place in np.ndindex(rows, columns):
        found = places @ kept[place].T
        at = torch.from_numpy(found[..., :2] / found[..., 2:])
        out[place] = bicubic_at(views[place], at[..., 1] - needed[0].start, at[..., 0] - needed[1].start)
    return out, weights
