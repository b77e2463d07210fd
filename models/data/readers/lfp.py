"""Lytro's containers, ``.lfp`` (F01) and ``.lfr`` (Illum): the raw picture of the sensor, decoded to views.

As Dansereau, Pizarro and Williams (CVPR 2013) decode it (``lenslets/decode.py``). No real Lytro file was to be had:
this was proved on files that ``lfdeblur simulate`` writes, whose structure is that of real ones.
"""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import LightFieldError
from ..lazy_views import LazyViews, Window
from ..lenslets.bayer import planes, shifted
from ..lenslets.container import LytroContainer, is_lytro, read_lytro
from ..lenslets.decode import colour_views
from ..lenslets.devignetting import devignetted
from ..lenslets.grid import LensletGrid, middle_part, whole_lenslets
from ..lenslets.resample import ViewGrid, view_size
from ..lenslets.sensor import Sensor, sensor_of
from ..lenslets.white_picture import WhitePicture, examined, find_white, read_raw
from ..light_field import LightField
from ._format import Format
from .options import ReadOptions

DECODERS = (
    "LFToolbox (MATLAB, LFUtilDecodeLytroFolder; writes __Decoded.mat), PlenoptiCam (Python, pip install plenopticam; "
    "writes views) or the Lytro Power Tools (lfptool raw; writes warp pictures)"
)
_SAME_PITCH = 0.1  # relative
_FITTED = 0.1  # pixels by which a fitted pitch may be below an even number and count as that
_FEWEST = 5  # rows and columns of lenslets


class _Raw(NamedTuple):
    """All that is needed to decode a container."""

    path: Path
    offset: int
    sensor: Sensor
    white: WhitePicture
    pitch: float
    lenslets: tuple[int, int]
    views: tuple[int, int]
    size: tuple[int, int]
    as_seen: bool


def read(path: Path, options: ReadOptions) -> LightField:
    """Linear light, float32 in [0, 1], 1 = the white level; colours by the white balance and matrix of the metadata.

    As many views as the pitch has pixels, the odd number above (F01: 11x11, Illum: 15x15), or as ``lenslet`` tells;
    those whose places lie outside a lenslet's disc have weight 0. Files and metadata are checked here, and nothing is
    unpacked, but for the white picture where the metadata do not tell the lenslets' pitch.
    """
    if not path.is_file():
        raise LightFieldError(f"{path}: not a Lytro container: it is a folder, want a file")
    container = read_lytro(path)
    sensor, offset = _raw_picture(path, container)
    white = find_white(path, container, sensor, options.white)
    pitch = _pitch(path, sensor, white, options)
    usual = 2 * int((pitch + _FITTED) / 2) + 1
    views = options.lenslet or (usual, usual)
    lenslets = whole_lenslets(pitch, sensor.turn, sensor.rotation, sensor.size)
    if min(lenslets) < _FEWEST:
        height, width = sensor.size
        raise LightFieldError(f"{path}: {width}x{height} pixels are too few for lenslets of {pitch:g} pixels")
    size = view_size(lenslets, sensor.turn, sensor.hexagonal)
    raw = _Raw(path, offset, sensor, white, pitch, lenslets, views, size, options.colours == "camera")
    return LightField.of_lazy_views(
        LazyViews(
            (*views, 3, *size),
            torch.float32,
            partial(_read, raw),
            weights=_view_grid(raw, None).in_disc().float(),
            transfer="linear",
            lens=True,
        ),
        metadata=_told(container, raw),
    )


def _raw_picture(path: Path, container: LytroContainer) -> tuple[Sensor, int]:
    """The sensor, and where its raw picture begins in the file."""
    section = container.section("imageRef")
    if section is None or "metadataRef" not in container.metadata:
        what = "no raw picture" if section is None else "a raw picture without metadata"
        raise LightFieldError(
            f"{path}: a Lytro container with {what} (of {len(container.sections)} sections); export views from it, "
            f"with {DECODERS}, and read these"
        )
    private = container.metadata.get("privateMetadataRef", {})
    sensor = sensor_of(str(path), container.metadata["metadataRef"], private)
    sensor.packing.check_size(f"{path}: raw picture", section.size, sensor.size)
    return sensor, section.offset


def _pitch(path: Path, sensor: Sensor, white: WhitePicture, options: ReadOptions) -> float:
    """In pixels: as told, else as the metadata tell it, else that of the white picture."""
    told = options.pitch
    if told is None:
        return sensor.pitch or examined(white, None, (1, 1)).grid.pitch
    if sensor.pitch and abs(told / sensor.pitch - 1) > _SAME_PITCH:
        raise LightFieldError(f"{path}: pitch: got {told:g} pixels, but the metadata tell {sensor.pitch:.4g}")
    return told


def _view_grid(raw: _Raw, window: Window | None) -> ViewGrid:
    """Which views are sampled; of the lenslets' true places only where a window is to be read."""
    sensor = raw.sensor
    if window is None:
        nowhere = LensletGrid(0j, complex(raw.pitch), hexagonal=sensor.hexagonal, turn=sensor.turn)
        return ViewGrid(nowhere, raw.lenslets, raw.views, raw.size)
    grid = examined(raw.white, raw.pitch, raw.views).grid
    if grid.hexagonal != sensor.hexagonal:
        kinds = ("square", "hexagonal")
        raise LightFieldError(
            f"{raw.white.path}: the white picture shows a {kinds[grid.hexagonal]} grid of lenslets, but the metadata "
            f"of {raw.path} tell a {kinds[sensor.hexagonal]} one"
        )
    return ViewGrid(middle_part(grid, sensor.size, *raw.lenslets), raw.lenslets, raw.views, raw.size)


def _read(raw: _Raw, window: Window) -> tuple[Tensor, Tensor]:
    sensor, white = raw.sensor, raw.white
    views = _view_grid(raw, window)
    seen = examined(white, raw.pitch, raw.views)
    picture, white_picture = read_raw(raw.path, raw.offset, sensor), white.read()
    gains = (1.0,) * 4 if raw.as_seen else sensor.gains

    def mosaic(y: slice, x: slice) -> tuple[np.ndarray, np.ndarray]:
        corner = y.start, x.start
        pattern = "".join(shifted(sensor.pattern, *corner))
        light, white_light = sensor.light(picture[y, x], *corner), white.sensor.light(white_picture[y, x], *corner)
        light, through = devignetted(light, white_light, shifted(seen.lit, *corner), pattern)
        for (_, values), gain in zip(planes(light, pattern), shifted(gains, *corner), strict=True):
            values *= np.float32(gain)
        return light, through

    matrix = np.eye(3) if raw.as_seen else np.reshape(sensor.matrix, (3, 3))
    pixels = colour_views(mosaic, sensor.size, sensor.pattern, matrix, views, window)
    return pixels, torch.from_numpy(seen.weights)[window.rows, window.columns]


def _told(container: LytroContainer, raw: _Raw) -> dict[str, Any]:
    sensor = raw.sensor
    image = container.metadata["metadataRef"]["image"]
    return {
        "camera": sensor.model,
        "serial": sensor.serial,
        "white": "in the container" if raw.white.path == raw.path else str(raw.white.path),
        "lenslet_pitch": raw.pitch,
        "zoom_step": sensor.zoom,
        "focus_step": sensor.focus,
        "colours": "camera" if raw.as_seen else "metadata",
        "exposure_bias": image.get("modulationExposureBias"),
    }


FORMAT = Format(
    "lfp",
    read,
    is_lytro,
    order=50,
    kind="a Lytro container",
    looks_like="`.lfp`, `.lfr`",
    layout="raw pixels below hexagonal lenslets, decoded",
    values="8 to 16 bits, packed; **linear**",
    found_by="magic bytes",
    options=("white", "pitch", "colours"),
    suffixes=(".lfp", ".lfr"),
)
