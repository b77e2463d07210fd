"""Raw pictures of a camera or microscope behind lenslets, beside its white picture and, mostly, its dark frame.

As Dansereau, Pizarro and Williams (CVPR 2013) decode them: the grid of the lenslets, square or hexagonal, is found in
the white picture, the capture is divided by it, and both are sampled on the grid.
"""

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...io.errors import ImageError
from ...io.images import ImageInfo, decode, is_image_name, open_image
from ...io.truncation import check_whole
from ..errors import LightFieldError
from ..lazy_views import DARK, LazyViews, Window, whole_window
from ..lenslets.bayer import planes, transposed
from ..lenslets.decode import colour_views, grey_views, white_views
from ..lenslets.devignetting import FAINTEST, brightness
from ..lenslets.fit import fit_lenslets
from ..lenslets.grid import GridError, StandsOnEnd
from ..lenslets.resample import ViewGrid, view_size
from ..light_field import LightField
from ._format import PICTURE, Format
from .options import ReadOptions

_WHITE = re.compile(r"(?:^|[^a-z])(?:white|radiometry)", re.IGNORECASE)
_DARK_FRAME = re.compile(r"(?:^|[^a-z])dark", re.IGNORECASE)
_BRIGHTEST = 0.999  # of the pixels are no brighter than what becomes 1


class RawFiles(NamedTuple):
    """What a folder of raw pictures holds; ``dark`` is None where there is no dark frame."""

    white: Path
    dark: Path | None
    captures: list[Path]


class _Raw(NamedTuple):
    """All that is needed to decode a capture.

    Attributes:
        bayer: None for a grey one.
        on_end: rows and columns change places in all pictures, and the pattern, first, and in the views last.
    """

    capture: Path
    white: Path
    dark: Path | None
    bayer: str | None
    on_end: bool
    views: ViewGrid


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
    """With ``white``; or with ``lenslet``, which would tell ``eslf`` of other pictures."""
    if options.white is not None:
        return path.is_file() and is_image_name(path)
    return options.lenslet is not None and path.is_file() and fits(path)


def scenes(path: Path) -> list[Path]:
    """Each capture of a folder is a light field."""
    found = raw_files(path) if path.is_dir() else None
    return [path] if found is None else found.captures


def read(path: Path, options: ReadOptions) -> LightField:
    """One view per pixel of the lenslets' pitch, rounded, or as many as ``lenslet`` tells; linear light, grey or RGB.

    Pixels below a lenslet and places in the picture are inverted alike, so that views come in the order of the pixels
    and what is nearer than the plane in focus has positive disparity. The white picture is the measure of white: a
    colour sensor's views are balanced as if what it shows were grey.
    """
    files = _files(path, options)
    capture, bayer, on_end = files.captures[0], None if options.bayer is None else options.bayer.upper(), False
    white = _light(files.white, files.dark)
    try:
        try:
            grid, lenslets = fit_lenslets(_evened(white, bayer), options.pitch)
        except StandsOnEnd:
            white, bayer, on_end = white.T.copy(), bayer and transposed(bayer), True
            grid, lenslets = fit_lenslets(_evened(white, bayer), options.pitch)
    except GridError as error:
        raise LightFieldError(f"{files.white}: no grid of lenslets is seen: {error}") from error
    usual = max(1, round(grid.pitch))
    size = view_size(lenslets, grid.turn, grid.hexagonal)
    told = options.lenslet or (usual, usual)
    views = ViewGrid(grid, lenslets, told[::-1] if on_end else told, size)
    shape = (*told, 1 if bayer is None else 3, *(size[::-1] if on_end else size))
    through = white_views(white, views, whole_window((*views.views, 1, *size))).mean(
        (2, 3)
    )  # the light that came through to each view
    used = through >= DARK * through.median()
    if grid.hexagonal:
        used &= views.in_disc()
    return LightField.of_lazy_views(
        LazyViews(
            shape,
            torch.float32,
            partial(_read, _Raw(capture, files.white, files.dark, bayer, on_end, views)),
            check=partial(_check, capture),
            weights=(used.T if on_end else used).float(),
            transfer="linear",
            lens=True,
        ),
        scene=capture.stem,
        metadata={
            "white": files.white.name,
            "dark": None if files.dark is None else files.dark.name,
            "lenslets": "hexagonal" if grid.hexagonal else "square",
            "lenslet_pitch": grid.pitch,
            "lenslet_rotation": grid.rotation,
            "lenslet_residual": grid.residual,
        },
    )


def _files(path: Path, options: ReadOptions) -> RawFiles:
    """The one capture that is meant, and its white picture and dark frame."""
    found = raw_files(path if path.is_dir() else path.parent)
    if options.white is not None:
        return _beside_told_white(path, Path(options.white), found)
    if found is None or (path.is_file() and path not in found.captures):
        raise LightFieldError(
            f"{path}: not a raw lenslet picture: want grey pictures of one size in a folder: captures, one whose name "
            "has 'white' or 'radiometry', and at most one whose name has 'dark'; or give the white picture"
        )
    if path.is_dir() and len(found.captures) > 1:
        names = ", ".join(capture.name for capture in found.captures[:5])
        raise LightFieldError(f"{path}: holds {len(found.captures)} raw pictures; name one of {names}")
    return found._replace(captures=[path] if path.is_file() else found.captures)


def _beside_told_white(path: Path, white: Path, found: RawFiles | None) -> RawFiles:
    if not white.is_file():
        raise LightFieldError(f"white: {white}: {'is a folder, want a picture' if white.is_dir() else 'no such file'}")
    if path.is_dir():
        raise LightFieldError(f"{path}: is a folder; with a white picture given, want the capture itself")
    try:
        kind, wanted = _kind(open_image(white)[1]), _kind(open_image(path)[1])
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    if kind[2] != 1 or wanted[2] != 1:
        raise LightFieldError(f"{path if wanted[2] != 1 else white}: a picture in colour, want one of raw pixels: grey")
    if kind != wanted:
        raise LightFieldError(
            f"{white}: the white picture has {kind[1]}x{kind[0]} pixels of {kind[3]} bits, the capture {path.name} "
            f"{wanted[1]}x{wanted[0]} of {wanted[3]}"
        )
    darks = [near for near in sorted(path.parent.iterdir()) if is_image_name(near) and _DARK_FRAME.search(near.stem)]
    return RawFiles(white, darks[0] if len(darks) == 1 and found is None else found and found.dark, [path])


def _evened(white: np.ndarray, bayer: str | None) -> np.ndarray:
    """A white picture without its colours, which would be a pattern of their own."""
    if bayer is None:
        return white
    white = white.copy()
    for (_, plane), lit in zip(planes(white, bayer), brightness(white, bayer), strict=True):
        plane /= lit
    return white


def _check(capture: Path, window: Window) -> None:
    try:
        check_whole(capture)
    except ImageError as error:
        raise LightFieldError(str(error)) from error


def _read(raw: _Raw, window: Window) -> tuple[Tensor, None]:
    """What the scene sent, relative to its brightest part; a window has the same values as in the whole."""
    if raw.on_end:
        turned = Window(window.columns, window.rows, window.x, window.y)
        return _decoded(raw, turned).permute(1, 0, 2, 4, 3).contiguous(), None
    return _decoded(raw, window), None


def _decoded(raw: _Raw, window: Window) -> Tensor:
    """``[V, U, C, H, W]`` float32 of a window of views whose rows of lenslets are those of the grid."""
    light, white = _light(raw.capture, raw.dark), _light(raw.white, raw.dark)
    if raw.on_end:
        light, white = light.T.copy(), white.T.copy()
    floor = FAINTEST * white.max()
    bright = white > 0.5 * white.max()
    top = np.quantile(light[bright] / white[bright], _BRIGHTEST)
    if not top > 0:
        raise LightFieldError(f"{raw.capture}: no brighter than its dark frame")
    if raw.bayer is None:
        views = grey_views(light, white, floor, raw.views, window)
        views.div_(top).clamp_(0, 1)
        return views.float()[:, :, None]

    def mosaic(y: slice, x: slice) -> tuple[np.ndarray, np.ndarray]:
        values = light[y, x] / np.maximum(white[y, x], floor) / top
        return values.astype(np.float32), (white[y, x] / white.max()).astype(np.float32)

    return colour_views(mosaic, light.shape, raw.bayer, np.eye(3), raw.views, window)


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
    layout="raw pixels below square or hexagonal lenslets, resampled",
    values="8 or 16 bits; **linear**",
    found_by="names, one size, grey",
    options=("white", "pitch", "bayer"),
    told=told,
    scenes=scenes,
    names_scene=True,
)
