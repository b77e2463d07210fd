"""Decoding of a grid of pictures into one tensor, in parallel."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyvips
import torch
from torch import Tensor

from ..images import ImageError, ImageInfo, decode, is_image_name, open_image
from .light_field import LightFieldError, central

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


def keep_central(files: Files, keep: tuple[int, int] | None, folder: Path) -> Files:
    """The central ``keep`` rows and columns of a grid of files; None keeps all."""
    if keep is None:
        return files
    check_keep((len(files), len(files[0])), keep, folder)
    columns = central(len(files[0]), keep[1])
    return [row[columns] for row in files[central(len(files), keep[0])]]


def flip(files: Files, axes: str) -> Files:
    """Turn the order of ``rows``, ``columns`` or ``both``; ``none`` leaves it."""
    files = files[::-1] if axes in ("rows", "both") else files
    return [row[::-1] for row in files] if axes in ("columns", "both") else files


def check_keep(have: tuple[int, int], keep: tuple[int, int], path: Path) -> None:
    """Raise LightFieldError where fewer views are there than are to be kept."""
    if not (1 <= keep[0] <= have[0] and 1 <= keep[1] <= have[1]):
        raise LightFieldError(f"{path}: got {keep[0]}x{keep[1]} central views to keep of {have[0]}x{have[1]}")


def read_views(files: Files) -> tuple[Tensor, Tensor | None]:
    """Decode a grid of pictures of one size.

    Returns: ``[V, U, C, H, W]`` uint8 or uint16; and ``[V, U]`` weights: the mean of each view's alpha, None where no
    picture has a transparent pixel.

    Raises:
        LightFieldError: a picture is damaged, or not like the first one (all headers are compared before decoding).
    """
    flat = [path for row in files for path in row]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        try:
            opened = list(pool.map(open_image, flat))
            first = opened[0][1]
            for path, (_, info) in zip(flat, opened, strict=True):
                _check_alike(path, info, flat[0], first)
            shape = (len(flat), first.channels, first.height, first.width)
            views = np.empty(shape, np.uint8 if first.bits == 8 else np.uint16)

            def read(index: int, path: Path, image: pyvips.Image) -> float:
                colours, alpha = decode(path, image)
                views[index] = colours.transpose(2, 0, 1)
                return 1.0 if alpha is None else float(alpha.mean() / np.iinfo(alpha.dtype).max)

            weights = list(pool.map(read, range(len(flat)), flat, [image for image, _ in opened]))
        except ImageError as error:
            raise LightFieldError(str(error)) from error
    grid = len(files), len(files[0])
    return torch.from_numpy(views).view(*grid, *shape[1:]), alpha_weights(torch.tensor(weights).view(grid), files[0][0])


def alpha_weights(mean_alpha: Tensor, path: Path) -> Tensor | None:
    """Weights ``[V, U]`` from the mean alpha of each view; None where all are opaque."""
    if bool((mean_alpha == 1).all()):
        return None
    if not bool((mean_alpha > 0).any()):
        raise LightFieldError(f"{path}: every view is fully transparent")
    return mean_alpha.float()


def _check_alike(path: Path, got: ImageInfo, first_path: Path, want: ImageInfo) -> None:
    def describe(info: ImageInfo) -> str:
        return f"{info.width}x{info.height} {'grey' if info.channels == 1 else 'RGB'} of {info.bits} bits"

    if describe(got) != describe(want):
        raise LightFieldError(f"{path}: got {describe(got)}, want {describe(want)} as {first_path.name}")
