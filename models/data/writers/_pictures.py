"""Views as picture files: PNG, or TIFF where the name says so or for light; alpha is how far a view is trusted."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...io.errors import ImageError
from ...io.images import write_pixels
from ...io.png import png
from ..errors import LightFieldError
from ..light_field import LightField

_COMPRESSION = 6


def colours_and_alpha(light_field: LightField) -> np.ndarray:
    """``[V, U, H, W, C]``, with one channel more, alpha, where the light field has weights."""
    views = light_field.views.cpu().numpy().transpose(0, 1, 3, 4, 2)
    if light_field.weights is None:
        return views
    weights = light_field.weights.double().cpu().numpy()
    steps = (weights if views.dtype.kind == "f" else np.rint(weights * np.iinfo(views.dtype).max)).astype(views.dtype)
    alpha = np.broadcast_to(steps[:, :, None, None, None], (*views.shape[:-1], 1))
    return np.concatenate([views, alpha], -1)


def rounded_weights(light_field: LightField) -> Iterator[str]:
    """``losses`` of a layout whose weights are alpha: where they lie between its steps."""
    if light_field.weights is None or light_field.dtype.is_floating_point:
        return
    white = 255 if light_field.dtype == torch.uint8 else 65535
    weights = light_field.weights.double()
    if not torch.equal(((weights * white).round() / white).float(), weights.float()):
        yield f"weights were rounded to 1/{white}, the steps of alpha"


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """``[H, W, 1 to 4]`` uint8, uint16 or float32. Raises LightFieldError where the kind of file cannot hold it."""
    if path.suffix.lower() == ".png" and pixels.shape[-1] in (1, 3):
        path.write_bytes(png(pixels, _COMPRESSION))
        return
    try:
        write_pixels(path, np.ascontiguousarray(pixels))
    except ImageError as error:
        raise LightFieldError(str(error)) from error


def write_views(folder: Path, views: Tensor | np.ndarray, name: Callable[[int, int], str]) -> None:
    """Views ``[V, U, H, W, C]`` as files of a folder, several at a time; ``name`` gives that of a row and column."""
    values = np.asarray(views)
    places = list(np.ndindex(*values.shape[:2]))

    def write(place: tuple[int, ...]) -> None:
        write_picture(folder / name(place[0], place[1]), values[place])

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        _all(pool.map(write, places))


def plain_views(light_field: LightField) -> np.ndarray:
    """``[V, U, H, W, C]``, without weights."""
    return light_field.views.cpu().numpy().transpose(0, 1, 3, 4, 2)


def digits(*counts: int) -> int:
    """Of the largest index, two at least."""
    return max(2, *(len(str(count - 1)) for count in counts))


def _all(results: Iterable[None]) -> None:
    for _ in results:
        pass
