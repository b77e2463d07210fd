"""One picture that holds all views side by side: view ``(v, u)`` starts at row ``v*H`` and column ``u*W``."""

from functools import partial
from pathlib import Path

import numpy as np
import pyvips
import torch
from torch import Tensor

from ...io.errors import ImageError
from ...io.images import is_image_name, open_image, picture_header
from ..errors import LightFieldError
from ..lazy_views import LazyViews, Window
from ..light_field import LightField
from ._format import PICTURE, Format
from ._picture_grid import alpha_weights, check_finite, empty_views, mean_alpha_of
from .options import ReadOptions


def fits(path: Path) -> bool:
    return path.is_file() and is_image_name(path)


def told(path: Path, options: ReadOptions) -> bool:
    """By the grid of views."""
    return options.grid is not None and options.pattern is None and fits(path)


def doubt(path: Path) -> str:
    """Any picture fits."""
    return "if it is a mosaic of views, give the grid, its rows and columns of views"


def read(path: Path, options: ReadOptions) -> LightField:
    """Rows of views from the top, columns from the left. Alpha is the weight of a view."""
    if not path.is_file():
        raise LightFieldError(f"{path}: not a mosaic of views: it is a folder, want a picture")
    if options.grid is None:
        raise LightFieldError(f"{path}: the format 'mosaic' needs the grid's size, rows and columns of views")
    try:
        info = picture_header(path)
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    rows, columns = options.grid
    if info.height % rows or info.width % columns:
        raise LightFieldError(
            f"{path}: grid: got {rows}x{columns} views, want rows that divide the picture's height of {info.height} "
            f"pixels and columns that divide its width of {info.width}"
        )
    size = info.height // rows, info.width // columns
    shape = rows, columns, info.channels, *size
    return LightField.of_lazy_views(
        LazyViews(shape, info.dtype, partial(_read, path, size), transfer=info.transfer, lens=True)
    )


def _read(path: Path, size: tuple[int, int], window: Window) -> tuple[Tensor, Tensor | None]:
    """A row of views at a time, so that no more than the window and that row is in memory."""
    rows, columns, height, width = window.shape
    left = window.columns.start * size[1] + window.x.start
    starts = range(0, columns * size[1], size[1])
    try:
        image, info = open_image(path)
        views = empty_views((rows, columns, info.channels, height, width), info)
        mean_alpha = torch.ones(rows, columns, dtype=torch.float64)
        region = pyvips.Region.new(image)  # unlike a crop, it reads row after row without running ahead
        for v in range(rows):
            top = (window.rows.start + v) * size[0] + window.y.start
            data = region.fetch(left, top, starts[-1] + width, height)
            band = np.frombuffer(data, views.dtype).reshape(height, -1, image.bands)
            for u, start in enumerate(starts):
                pixels = band[:, start : start + width]
                views[v, u] = pixels[..., : info.channels].transpose(2, 0, 1)
                if image.bands in (2, 4):
                    mean_alpha[v, u] = mean_alpha_of(pixels[..., -1])
        check_finite(path, views)
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    except pyvips.Error as error:
        raise LightFieldError(f"{path}: truncated or damaged ({' '.join(str(error.detail).split())})") from error
    return torch.from_numpy(views), alpha_weights(mean_alpha, path)


FORMAT = Format(
    "mosaic",
    read,
    fits,
    order=140,
    kind=PICTURE,
    looks_like="one picture of all views side by side, `SCENE_mosaic.png`",
    layout="pixel `(t*H + y, s*W + x)`, `--grid ROWSxCOLUMNS`",
    values="8 or 16 bits, alpha = weight",
    found_by="`--grid`, or `_mosaic` in the name",
    options=("grid",),
    told=told,
    doubt=doubt,
    word="_mosaic",
    endings=("_mosaic", ".mosaic"),
)
