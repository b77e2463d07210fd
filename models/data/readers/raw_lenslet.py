"""Raw pictures of a camera or microscope with square lenslets, beside its white picture and, mostly, its dark frame.

As Dansereau, Pizarro and Williams (CVPR 2013) decode them: the grid of the lenslets is found in the white picture, the
capture is divided by it, and both are sampled on the grid.
"""

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...io.errors import ImageError
from ...io.images import ImageInfo, decode, is_image_name, open_image
from ...io.truncation import check_whole
from ..errors import LightFieldError
from ..lazy_views import DARK, LazyViews, Window, whole_window
from ..light_field import LightField
from ._format import PICTURE, Format
from ._lenslet_grid import GridError, LensletGrid, fit_lenslets
from .options import ReadOptions

_WHITE = re.compile(r"(?:^|[^a-z])(?:white|radiometry)", re.IGNORECASE)
_DARK_FRAME = re.compile(r"(?:^|[^a-z])dark", re.IGNORECASE)
_BRIGHTEST = 0.999  # of the pixels are no brighter than what becomes 1
_FAINTEST = 0.02  # of the white picture's brightest: what is darker saw no light to be corrected


class RawFiles(NamedTuple):
    """What a folder of raw pictures holds; ``dark`` is None where there is no dark frame."""

    white: Path
    dark: Path | None
    captures: list[Path]


def raw_files(folder: Path) -> RawFiles | None:
    """The raw pictures of a folder; None where it holds none: no or several white ones, or colours, or other sizes."""
    pictures = sorted(path for path in folder.iterdir() if path.is_file() and is_image_name(path))
    whites = [path for path in pictures if _WHITE.search(path.stem)]
    darks = [path for path in pictures if _DARK_FRAME.search(path.stem)]
    captures = [path for path in pictures if path not in whites and path not in darks]
    if len(whites) != 1 or len(darks) > 1 or not captures:
        return None
    try:
        kinds = {_kind(open_image(path)[1]) for path in pictures}
    except ImageError:
        return None  # whoever takes the folder for something else tells it
    if len(kinds) != 1 or kinds.pop()[2] != 1:
        return None
    return RawFiles(whites[0], darks[0] if darks else None, captures)


def fits(path: Path) -> bool:
    if path.is_dir():
        return raw_files(path) is not None
    if not is_image_name(path):
        return False
    found = raw_files(path.parent)
    return found is not None and path in found.captures


def told(path: Path, options: ReadOptions) -> bool:
    """With ``lenslet``, which would tell ``eslf`` of other pictures."""
    return options.lenslet is not None and path.is_file() and fits(path)


def scenes(path: Path) -> list[Path]:
    """Each capture of a folder is a light field."""
    found = raw_files(path) if path.is_dir() else None
    return [path] if found is None else found.captures


def read(path: Path, options: ReadOptions) -> LightField:
    """One view per pixel of the lenslets' pitch, rounded, or as many as ``lenslet`` tells; linear light, grey.

    Pixels below a lenslet and places in the picture are inverted alike, so that views come in the order of the pixels
    and what is nearer than the plane in focus has positive disparity.
    """
    folder = path if path.is_dir() else path.parent
    found = raw_files(folder)
    if found is None or (path.is_file() and path not in found.captures):
        raise LightFieldError(
            f"{path}: not a raw lenslet picture: want grey pictures of one size in a folder: captures, one whose name "
            "has 'white' or 'radiometry', and at most one whose name has 'dark'"
        )
    if path.is_dir() and len(found.captures) > 1:
        names = ", ".join(capture.name for capture in found.captures[:5])
        raise LightFieldError(f"{path}: holds {len(found.captures)} raw pictures; name one of {names}")
    capture = path if path.is_file() else found.captures[0]
    white = _light(found.white, found.dark)
    try:
        grid, (height, width) = fit_lenslets(white)
    except GridError as error:
        raise LightFieldError(f"{found.white}: no grid of lenslets is seen: {error}") from error
    usual = max(1, round(grid.pitch))
    rows, columns = options.lenslet or (usual, usual)
    shape = rows, columns, 1, height, width
    seen = _sampled(white, grid, (rows, columns), whole_window(shape))
    through = seen.mean((2, 3))  # of a view's light, the part that came through its corner of the lens
    return LightField.of_lazy_views(
        LazyViews(
            shape,
            torch.float32,
            partial(_read, capture, found, grid, (rows, columns)),
            check=partial(_check, capture),
            weights=(through >= DARK * through.median()).float(),
            transfer="linear",
            lens=True,
        ),
        scene=capture.stem,
        metadata={
            "white": found.white.name,
            "dark": None if found.dark is None else found.dark.name,
            "lenslet_pitch": grid.pitch,
            "lenslet_rotation": grid.rotation,
            "lenslet_residual": grid.residual,
        },
    )


def _check(capture: Path, window: Window) -> None:
    try:
        check_whole(capture)
    except ImageError as error:
        raise LightFieldError(str(error)) from error


def _read(
    capture: Path, files: RawFiles, grid: LensletGrid, lenslet: tuple[int, int], window: Window
) -> tuple[Tensor, None]:
    """What the scene sent, relative to its brightest part; a window has the same values as in the whole."""
    light, white = _light(capture, files.dark), _light(files.white, files.dark)
    floor = _FAINTEST * white.max()
    bright = white > 0.5 * white.max()
    top = np.quantile(light[bright] / white[bright], _BRIGHTEST)
    if not top > 0:
        raise LightFieldError(f"{capture}: no brighter than its dark frame")
    views = _sampled(light, grid, lenslet, window)
    views.div_(_sampled(white, grid, lenslet, window).clamp_min_(floor)).div_(top).clamp_(0, 1)
    return views.float()[:, :, None], None


def _sampled(picture: np.ndarray, grid: LensletGrid, lenslet: tuple[int, int], window: Window) -> Tensor:
    """``[V, U, H, W]`` float64 of a window: the picture between its pixels, at each view's place in each lenslet."""
    height, width = picture.shape
    source = torch.from_numpy(picture)[None, None]

    def places(count: int, views: slice, pixels: slice) -> np.ndarray:
        """``[views, pixels]``, in lenslets; the centre of a lenslet is a whole number."""
        offsets = (np.arange(count) - (count - 1) / 2) / count
        return offsets[views, None] + np.arange(pixels.start, pixels.stop)

    across = places(lenslet[1], window.columns, window.x)
    rows = []
    for down in places(lenslet[0], window.rows, window.y):  # a row of views at a time: the places take memory
        points = grid.points(down[None, :, None], across[:, None, :])  # [U, H, W]
        at = np.stack([points.real * (2 / (width - 1)) - 1, points.imag * (2 / (height - 1)) - 1], -1)
        flat = torch.from_numpy(at.reshape(1, -1, at.shape[2], 2))
        seen = F.grid_sample(source, flat, mode="bilinear", padding_mode="border", align_corners=True)
        rows.append(seen.view(at.shape[:3]))
    return torch.stack(rows)


def _light(path: Path, dark: Path | None) -> np.ndarray:
    """``[H, W]`` float64 above the dark frame."""
    light = _values(path)
    return light if dark is None else light - _values(dark)


def _values(path: Path) -> np.ndarray:
    try:
        return decode(path, open_image(path)[0])[0][..., 0].astype(np.float64)
    except ImageError as error:
        raise LightFieldError(str(error)) from error


def _kind(info: ImageInfo) -> tuple[int, int, int, int]:
    return info.height, info.width, info.channels, info.bits


FORMAT = Format(
    "raw-lenslet",
    read,
    fits,
    order=120,
    kind=PICTURE,
    looks_like="a grey capture beside `Radiometry*` or `white*`, and `Dark*`",
    layout="raw pixels below square lenslets, resampled",
    values="8 or 16 bits; **linear**",
    found_by="names, one size, grey",
    told=told,
    scenes=scenes,
    names_scene=True,
)
