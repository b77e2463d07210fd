"""White pictures of Lytro's cameras: in a container, or ``MOD_0000.RAW`` and ``.TXT`` in a calibration folder.

Of a folder, the one of the same camera with the nearest zoom step, and of those the nearest focus step, as LFToolbox
chooses; dark frames, which archives have too, are left out.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...io.errors import ImageError
from ...io.images import decode, is_image_name, open_image, picture_header
from ..errors import LightFieldError
from ..lazy_views import DARK, whole_window
from .bayer import planes
from .container import LytroContainer
from .decode import white_views
from .devignetting import brightness, fully_lit
from .fit import fit_lenslets
from .grid import GridError, LensletGrid, middle_part
from .metadata import Told
from .resample import ViewGrid
from .sensor import Sensor, sensor_of

ENVIRONMENT = "LFDEBLUR_LYTRO_CALIBRATION"
HOW = (
    "give the camera's calibration with white (a folder of MOD_00NN.RAW and .TXT, one of these files, or a picture), "
    f"set ${ENVIRONMENT} to that folder, or put it beside the file"
)
_PACKED = re.compile(r"data\.C\.\d+", re.IGNORECASE)  # an F01's archive
_TOGETHER = 8  # rows: whole tiles of the pattern, and whole groups of pixels that are packed together
_DARK_FRAME = 0.05  # of the white level; LFToolbox' bound for an F01 is 0.085
_MIDDLE = 48  # rows and columns of lenslets in which the light of the views is measured


@dataclass(frozen=True)
class WhitePicture:
    """Where a white picture is.

    Attributes:
        path: a container, a ``.RAW`` file, or a picture.
        offset: of its bytes in the file.
        sensor: what is told about it.
        changed: when the file was last changed.
    """

    path: Path
    offset: int
    sensor: Sensor
    changed: int

    @property
    def is_picture(self) -> bool:
        return is_image_name(self.path)

    def read(self) -> np.ndarray:
        """``[H, W]`` uint16, as stored."""
        if self.is_picture:
            try:
                return decode(self.path, open_image(self.path)[0])[0][..., 0]
            except ImageError as error:
                raise LightFieldError(str(error)) from error
        return read_raw(self.path, self.offset, self.sensor)

    def is_dark(self) -> bool:
        """Whether next to no light is in the middle rows of a file of raw pixels."""
        height, width = self.sensor.size
        first, rows = height // 2 // _TOGETHER * _TOGETHER, min(height, _TOGETHER)
        packing = self.sensor.packing
        with self.path.open("rb") as file:
            file.seek(self.offset + packing.bytes_of((first, width)))
            data = file.read(packing.bytes_of((rows, width)))
        if len(data) < packing.bytes_of((rows, width)):
            return False  # whoever reads all of it tells that
        pixels = packing.unpack(data, (rows, width)) >> self.sensor.right_shift
        return float(self.sensor.light(pixels).mean()) < _DARK_FRAME


def read_raw(path: Path, offset: int, sensor: Sensor) -> np.ndarray:
    """``[H, W]`` uint16 of a raw picture in a file."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(sensor.packing.bytes_of(sensor.size))
    sensor.packing.check_size(str(path), len(data), sensor.size)
    return sensor.packing.unpack(data, sensor.size) >> sensor.right_shift


def find_white(path: Path, container: LytroContainer, sensor: Sensor, told: str | Path | None) -> WhitePicture:
    """The white picture for a container.

    Raises:
        LightFieldError: there is none, of this camera or at all (the message says where was looked), or it has another
            size.
    """
    if told is not None:
        white = _told(Path(told), sensor)
    elif (section := container.section("modulationDataRef")) is not None:
        sensor.packing.check_size(f"{path}: white picture", section.size, sensor.size)
        return WhitePicture(path, section.offset, sensor, path.stat().st_mtime_ns)
    else:
        white = _nearest(path, sensor)
    if white.sensor.size != sensor.size:
        (height, width), (h, w) = white.sensor.size, sensor.size
        raise LightFieldError(f"{white.path}: the white picture has {width}x{height} pixels, the raw picture {w}x{h}")
    if not white.is_picture:
        white.sensor.packing.check_size(str(white.path), white.path.stat().st_size, white.sensor.size)
    return white


def _told(told: Path, sensor: Sensor) -> WhitePicture:
    if not told.exists():
        raise LightFieldError(f"white: {told}: no such file or folder")
    if told.is_dir():
        return _choose(list(_calibrations(told, deep=True)), sensor, f"{told}")
    if is_image_name(told):
        try:
            info = picture_header(told)
        except ImageError as error:
            raise LightFieldError(str(error)) from error
        if info.channels != 1:
            raise LightFieldError(f"white: {told}: a picture of {info.channels} colours, want one of raw pixels")
        return WhitePicture(told, 0, replace(sensor, size=(info.height, info.width)), told.stat().st_mtime_ns)
    if told.suffix.upper() == ".TXT":
        raw = next((raw for raw in map(told.with_suffix, (".RAW", ".raw")) if raw.is_file()), None)
        if raw is None:
            raise LightFieldError(f"white: {told}: no {told.stem}.RAW is beside it")
        told = raw
    if told.suffix.lower() == ".tar" or _PACKED.fullmatch(told.name):
        raise LightFieldError(f"white: {told}: an archive of calibration files: unpack it, and give its folder")
    described = _described(told.with_suffix(".TXT")) or _described(told.with_suffix(".txt"))
    return WhitePicture(told, 0, described or sensor, told.stat().st_mtime_ns)


def _nearest(path: Path, sensor: Sensor) -> WhitePicture:
    """From the calibration folder beside the file, else from that of the environment."""
    looked = [str(path.parent)]
    found = list(_calibrations(path.parent, deep=False))
    folder = os.environ.get(ENVIRONMENT)
    if folder:
        looked.append(folder)
        if not Path(folder).is_dir():
            raise LightFieldError(f"{ENVIRONMENT}: got {folder!r}, want a folder")
        found += _calibrations(Path(folder), deep=True)
    where = f"the container, {' and '.join(looked)}" + ("" if folder else f" (${ENVIRONMENT} is not set)")
    return _choose(found, sensor, where, str(path))


def _choose(found: list[WhitePicture], sensor: Sensor, where: str, path: str = "white") -> WhitePicture:
    if not found:
        raise LightFieldError(f"{path}: no white picture in {where}: {HOW}")
    own = [white for white in found if white.sensor.serial == sensor.serial]
    if not own:
        serials = ", ".join(sorted({white.sensor.serial for white in found}))
        raise LightFieldError(
            f"{path}: no white picture of the camera {sensor.serial or 'without a number'} in {where}, "
            f"only of {serials}: {HOW}"
        )
    # F01's archives have a dark picture beside each white one.
    usual = np.mean([white.sensor.exposure for white in own])
    own = [white for white in own if white.sensor.exposure >= usual or white.sensor.model != "F01"]
    own.sort(
        key=lambda white: (abs(white.sensor.zoom - sensor.zoom), abs(white.sensor.focus - sensor.focus), white.path)
    )
    return next((white for white in own if not white.is_dark()), own[0])


def _calibrations(folder: Path, *, deep: bool) -> Iterator[WhitePicture]:
    """White pictures of a folder and of those in it; ``deep``: of all below."""
    files = folder.rglob("*") if deep else (*folder.glob("*"), *folder.glob("*/*"))
    for file in sorted(files):
        if file.suffix.upper() != ".TXT" or "MOD_" not in file.name.upper():
            continue
        raw = next((raw for raw in map(file.with_suffix, (".RAW", ".raw")) if raw.is_file()), None)
        sensor = None if raw is None else _described(file)
        if raw is not None and sensor is not None:
            sensor = replace(sensor, serial=_serial_of_unit(file.parent) or sensor.serial)
            yield WhitePicture(raw, 0, sensor, raw.stat().st_mtime_ns)


def _serial_of_unit(folder: Path) -> str:
    """The camera's number in ``unit_info.json``, as LFToolbox repairs those of white pictures; empty: there is none."""
    file = folder / "unit_info.json"
    if not file.is_file():
        return ""
    try:
        return Told(str(file), json.loads(file.read_text("utf-8", "replace"))).part("camera").text("serialNumber")
    except LightFieldError:
        raise
    except (ValueError, AttributeError, RecursionError) as error:
        raise LightFieldError(f"{file}: not the description of a camera ({error})") from error


def _described(text: Path) -> Sensor | None:
    """What the ``.TXT`` beside a raw white picture tells; None: there is none."""
    if not text.is_file():
        return None
    try:
        document, _ = json.JSONDecoder().raw_decode(text.read_text("utf-8", "replace").lstrip())
        frame = document["master"]["picture"]["frameArray"][0]["frame"]
        return sensor_of(str(text), frame["metadata"], frame.get("privateMetadata", {}))
    except LightFieldError:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise LightFieldError(f"{text}: not the description of a white picture ({error})") from error


class Lit(NamedTuple):
    """What a white picture tells.

    Attributes:
        grid: of the lenslets.
        lenslets: rows and columns of whole ones, from the grid's first.
        lit: brightness of the fully lit part for each colour of the pattern.
        through: ``[V, U]``, the part of the usual view's light that each view has.
    """

    grid: LensletGrid
    lenslets: tuple[int, int]
    lit: tuple[float, ...]
    through: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """``[V, U]`` float32: 0 for views that saw next to no light."""
        return (self.through >= DARK).astype(np.float32)


@lru_cache(maxsize=4)
def examined(white: WhitePicture, pitch: float | None, views: tuple[int, int]) -> Lit:
    """Fit the lenslets and measure the light of a white picture; the last ones are remembered.

    Args:
        pitch: pixels, where it is known.
        views: rows and columns of views that divide the pitch.

    Raises:
        LightFieldError: no grid of lenslets is seen in it.
    """
    light = white.sensor.light(white.read())
    lit = brightness(light, white.sensor.pattern)
    if min(lit) <= 0:
        raise LightFieldError(f"{white.path}: the white picture is no brighter than its black level")
    for (_, plane), full in zip(planes(light, white.sensor.pattern), lit, strict=True):
        plane *= np.float32(1 / full)  # its colours would be a pattern of their own
    try:
        grid, lenslets = fit_lenslets(light, pitch)
    except GridError as error:
        raise LightFieldError(f"{white.path}: no grid of lenslets is seen in the white picture: {error}") from error
    rows, columns = (min(_MIDDLE, have - 2) for have in lenslets)
    middle = ViewGrid(middle_part(grid, light.shape, rows, columns), (rows, columns), views, (rows, columns))
    window = whole_window((*views, 1, rows, columns - grid.hexagonal))
    seen = white_views(light.astype(np.float64), middle, window).mean((2, 3)).numpy()
    for (_, plane), full in zip(planes(light, white.sensor.pattern), lit, strict=True):
        plane *= np.float32(full)
    return Lit(grid, lenslets, fully_lit(light, white.sensor.pattern, grid), seen / np.median(seen))
