"""Views that are tiles of one picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyvips
import torch
from torch import Tensor

from ...io.errors import ImageError
from ...io.images import open_image
from ..errors import LightFieldError
from ._picture_grid import alpha_weights, check_finite, empty_views, mean_alpha_of

Place = tuple[int, int]  # row and column of a tile, from the top left


def read_tiles(
    path: Path, size: tuple[int, int], places: Sequence[Place], y: slice, x: slice
) -> tuple[Tensor, Tensor | None]:
    """Pixels ``y`` and ``x`` of some tiles, a row of tiles at a time, so that no more than these and that row is in
    memory.

    Args:
        size: height and width of a tile.
        places: of the tiles.

    Returns: ``[N, C, H, W]`` in the order of ``places``, and ``[N]`` weights from alpha; None where all is opaque.

    Raises:
        LightFieldError: the picture is truncated or damaged.
    """
    height, width = y.stop - y.start, x.stop - x.start
    try:
        image, info = open_image(path)
        views = empty_views((len(places), info.channels, height, width), info)
        mean_alpha = torch.ones(len(places), dtype=torch.float64)
        region = pyvips.Region.new(image)  # unlike a crop, it reads row after row without running ahead
        for row in sorted({row for row, _ in places}):
            columns = {index: column for index, (other, column) in enumerate(places) if other == row}
            first, last = min(columns.values()), max(columns.values())
            left = first * size[1] + x.start
            data = region.fetch(left, row * size[0] + y.start, (last - first) * size[1] + width, height)
            band = np.frombuffer(data, views.dtype).reshape(height, -1, image.bands)
            for index, column in columns.items():
                start = (column - first) * size[1]
                pixels = band[:, start : start + width]
                views[index] = pixels[..., : info.channels].transpose(2, 0, 1)
                if image.bands in (2, 4):
                    mean_alpha[index] = mean_alpha_of(pixels[..., -1])
        check_finite(path, views)
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    except pyvips.Error as error:
        raise LightFieldError(f"{path}: truncated or damaged ({' '.join(str(error.detail).split())})") from error
    return torch.from_numpy(views), alpha_weights(mean_alpha, path)
