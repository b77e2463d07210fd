"""A light field as an array of xarray, with names of axes and coordinates."""

from typing import Any

import numpy as np
from torch import Tensor

from .errors import LightFieldError

_CHANNELS = {1: ["grey"], 3: ["red", "green", "blue"]}


def data_array(
    views: Tensor,
    weights: Tensor | None,
    disparity: Tensor | None,
    positions: Tensor | None,
    name: str,
    attributes: dict[str, Any],
) -> Any:
    """An ``xarray.DataArray`` over the memory of the views.

    Axes ``v, u, channel, y, x``; ``v`` and ``u`` count view steps from the centre, ``y`` and ``x`` pixels. Further
    coordinates: ``weight``, ``position_v`` and ``position_u`` (over ``v, u``), ``disparity`` (over ``y, x``).

    Raises:
        LightFieldError: xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise LightFieldError(
            "to_xarray needs xarray: pip install xarray, or install lfdeblur with the extra 'formats'"
        ) from error
    rows, columns, channels, height, width = views.shape
    coordinates: dict[str, Any] = {
        "v": np.arange(rows) - (rows - 1) / 2,
        "u": np.arange(columns) - (columns - 1) / 2,
        "channel": _CHANNELS[channels] if channels in _CHANNELS else np.arange(channels),
        "y": np.arange(height),
        "x": np.arange(width),
    }
    if weights is not None:
        coordinates["weight"] = (("v", "u"), weights.cpu().numpy())
    if disparity is not None:
        coordinates["disparity"] = (("y", "x"), disparity.cpu().numpy(), {"units": "pixels per view step"})
    if positions is not None:
        for axis, places in zip(("position_v", "position_u"), positions.cpu().numpy().transpose(2, 0, 1), strict=True):
            coordinates[axis] = (("v", "u"), places, {"units": "view steps"})
    return xarray.DataArray(
        views.cpu().numpy(), coordinates, ("v", "u", "channel", "y", "x"), name=name, attrs=attributes
    )
