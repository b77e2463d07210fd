"""Decoding of a grid of pictures into one tensor, in parallel."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...io.errors import ImageError
from ...io.images import ImageInfo, decode, full_scale, is_image_name, open_image, picture_header
from ..errors import LightFieldError
from ..lazy_views import LazyViews, Window

Files = list[list[Path]]


def list_pictures(folder: Path) -> list[Path]:
    """The picture files of a folder, sorted by name. Raises LightFieldError where there is none."""
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise LightFieldError(f"{folder}: cannot be listed ({error.strerror})") from error
    pictures = [path for path in names if is_image_name(path)]
    if not pictures:
        found = "the folder is empty" if not names else f"the folder holds no picture (first name: {names[0].name})"
        raise LightFieldError(f"{folder}: {found}, want one picture per view")
    return pictures


def arrange(folder: Path, positions: dict[tuple[int, int], Path]) -> Files:
    """Files by (row, column), any first index, as a full grid.

    Raises:
        LightFieldError: a gap; the first missing positions are named as in the files.
    """
    rows = range(min(row for row, _ in positions), max(row for row, _ in positions) + 1)
    columns = range(min(column for _, column in positions), max(column for _, column in positions) + 1)
    missing = [(row, column) for row in rows for column in columns if (row, column) not in positions]
    if missing:
        named = ", ".join(f"row {row} column {column}" for row, column in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise LightFieldError(
            f"{folder}: a gap in the grid of rows {rows[0]}..{rows[-1]} and columns {columns[0]}..{columns[-1]}: "
            f"no view at {named}{more}"
        )
    return [[positions[row, column] for column in columns] for row in rows]


def add_position(positions: dict[tuple[int, int], Path], row: int, column: int, path: Path) -> None:
    """Enter a file. Raises LightFieldError where its place is taken."""
    if (row, column) in positions:
        other = positions[row, column].name
        raise LightFieldError(f"{path.parent}: two files for row {row} column {column}: {other} and {path.name}")
    positions[row, column] = path


def flip(files: Files, axes: str) -> Files:
    """Turn the order of ``rows``, ``columns`` or ``both``; ``none`` leaves it."""
    files = files[::-1] if axes in ("rows", "both") else files
    return [row[::-1] for row in files] if axes in ("columns", "both") else files


def file_pixels(files: Files, *, lens: bool = False) -> LazyViews:
    """The pictures of a grid of files, all like the middle one.

    Weights are the mean of each view's alpha over the window that is read, None where no picture has a transparent
    pixel. ``lens``: see ``LazyViews``.

    Raises:
        LightFieldError: the middle picture cannot be read.
    """
    first = _header(files[len(files) // 2][len(files[0]) // 2])
    return LazyViews(
        (len(files), len(files[0]), first.channels, first.height, first.width),
        first.dtype,
        partial(_read, files),
        check=partial(_check, files),
        transfer=first.transfer,
        lens=lens,
    )


def empty_views(shape: Sequence[int], info: ImageInfo) -> np.ndarray:
    """Memory for the decoded pixels of pictures of this kind."""
    return torch.empty(tuple(shape), dtype=info.dtype).numpy()


def check_finite(path: Path, pixels: np.ndarray) -> None:
    """Raise ImageError where light is NaN or infinite: spread by a blur, it would be all of the picture."""
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ImageError(f"{path}: holds NaN or infinite values, want light")


def mean_alpha_of(alpha: np.ndarray) -> float:
    """How far a view can be trusted, in [0, 1]."""
    return float(np.clip(alpha.mean(dtype=np.float64) / full_scale(alpha.dtype), 0, 1))


def alpha_weights(mean_alpha: Tensor, path: Path) -> Tensor | None:
    """Weights ``[V, U]`` from the mean alpha of each view; None where all are opaque."""
    if bool((mean_alpha == 1).all()):
        return None
    if not bool((mean_alpha > 0).any()):
        raise LightFieldError(f"{path}: every view is fully transparent")
    return mean_alpha.float()


def _kept(files: Files, window: Window) -> list[Path]:
    return [path for row in files[window.rows] for path in row[window.columns]]


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1))


def _header(path: Path) -> ImageInfo:
    try:
        return picture_header(path)
    except ImageError as error:
        raise LightFieldError(str(error)) from error


def _check(files: Files, window: Window) -> None:
    """Headers of all pictures are alike, and each file is as long as it says."""
    paths = _kept(files, window)
    with _threads() as pool:
        headers = list(pool.map(_header, paths))
    for path, header in zip(paths, headers, strict=True):
        _check_alike(path, header, paths[0], headers[0])


def _read(files: Files, window: Window) -> tuple[Tensor, Tensor | None]:
    paths = _kept(files, window)
    rows, columns, height, width = window.shape
    first = _header(paths[0])
    shape = len(paths), first.channels, height, width
    views = empty_views(shape, first)

    def read(index: int, path: Path) -> float:
        image, info = open_image(path)
        _check_alike(path, info, paths[0], first)  # it may have been replaced since it was looked at
        if (height, width) != (info.height, info.width):  # a crop of everything would be a copy more
            image = image.crop(window.x.start, window.y.start, width, height)
        colours, alpha = decode(path, image)
        check_finite(path, colours)
        views[index] = colours.transpose(2, 0, 1)
        return 1.0 if alpha is None else mean_alpha_of(alpha)

    try:
        with _threads() as pool:
            weights = list(pool.map(read, range(len(paths)), paths))
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    mean_alpha = torch.tensor(weights).view(rows, columns)
    return torch.from_numpy(views).view(rows, columns, *shape[1:]), alpha_weights(mean_alpha, paths[0])


def _check_alike(path: Path, got: ImageInfo, first_path: Path, want: ImageInfo) -> None:
    def describe(info: ImageInfo) -> str:
        depth = "floating point" if info.bits == 32 else f"{info.bits} bits"
        return f"{info.width}x{info.height} {'grey' if info.channels == 1 else 'RGB'} of {depth}"

    if describe(got) != describe(want):
        raise LightFieldError(f"{path}: got {describe(got)}, want {describe(want)} as {first_path.name}")
