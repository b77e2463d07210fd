"""What the metadata of a Lytro picture tell about its sensor: size, packing, levels, colours, lenslets, lens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import LightFieldError
from .bayer import PATTERNS, planes, shifted
from .grid import HEXAGONAL_TURN
from .packing import Packing

PHASES = ("r", "gr", "gb", "b")
_TILE = (("r", "gr"), ("gb", "b"))
_MATRICES = ("ccm", "ccmRgbToSrgbArray")  # Illum, F01
_Four = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sensor:
    """A camera's sensor and the lens before it, as a picture's metadata tell them.

    Attributes:
        model, serial: of the camera; empty where they are not told.
        size: height and width in pixels.
        packing: of the raw picture.
        right_shift: bits to drop of each pixel.
        pattern: one of ``bayer.PATTERNS``.
        black, white: levels of the four pixels of the pattern, in its order.
        gains: white balance of the same pixels; the smallest is 1, so that burnt-out parts are white.
        matrix: nine numbers row by row, from the camera's balanced colours to linear sRGB.
        pitch: of the lenslets, pixels; 0: not told.
        stretch: of the distance of rows.
        rotation: degrees.
        hexagonal: lenslets.
        zoom, focus: steps of the lens.
        exposure: seconds.
    """

    model: str
    serial: str
    size: tuple[int, int]
    packing: Packing
    right_shift: int
    pattern: str
    black: _Four
    white: _Four
    gains: _Four
    matrix: tuple[float, ...]
    pitch: float
    stretch: float
    rotation: float
    hexagonal: bool
    zoom: float
    focus: float
    exposure: float

    @property
    def turn(self) -> complex:
        """From a row of lenslets to the next, as ``LensletGrid`` has it."""
        return HEXAGONAL_TURN * self.stretch if self.hexagonal else 1j

    def light(self, raw: np.ndarray, y: int = 0, x: int = 0) -> np.ndarray:
        """``[H, W]`` float32: raw pixels as parts of the white level above the black one; from pixel ``(y, x)`` on."""
        out = raw.astype(np.float32)
        levels = zip(planes(out, self.pattern), shifted(self.black, y, x), shifted(self.white, y, x), strict=True)
        for (_, values), black, white in levels:
            values -= np.float32(black)
            values *= np.float32(1 / (white - black))
        return out


def sensor_of(name: str, metadata: Mapping[str, Any], private: Mapping[str, Any]) -> Sensor:
    """Read a picture's metadata and private metadata; ``name`` begins the errors.

    Raises:
        LightFieldError: what is needed to unpack the picture is missing or of a kind that is not known.
    """
    image = _object(name, metadata, "image")
    details = image.get("rawDetails", image)  # F01's lie deeper than the Illum's
    levels, packed, mosaic = (_object(name, details, key) for key in ("pixelFormat", "pixelPacking", "mosaic"))
    packing = Packing(int(_number(name, packed, "bitsPerPixel")), str(packed.get("endianness", "")))
    packing.check(name)
    pattern, phases = _pattern(name, mosaic)
    black, white = (
        [_number(name, _object(name, levels, key), phase) for phase in phases] for key in ("black", "white")
    )
    if not all(high > low for low, high in zip(black, white, strict=True)):
        raise LightFieldError(f"{name}: got black levels {black} and white levels {white}, want white above black")
    color = image.get("color", {})
    devices = metadata.get("devices", {})
    mla, lens = devices.get("mla", {}), devices.get("lens", {})
    pixel = devices.get("sensor", {}).get("pixelPitch", 0)
    return Sensor(
        model=str(metadata.get("camera", {}).get("model", "")),
        serial=str(private.get("camera", {}).get("serialNumber", "")),
        size=(int(_number(name, image, "height")), int(_number(name, image, "width"))),
        packing=packing,
        right_shift=int(levels.get("rightShift", 0)),
        pattern=pattern,
        black=_four(black),
        white=_four(white),
        gains=_gains(name, color.get("whiteBalanceGain", {}), phases),
        matrix=_matrix(name, color),
        pitch=mla.get("lensPitch", 0) / pixel * mla.get("scaleFactor", {}).get("x", 1) if pixel else 0.0,
        stretch=mla.get("scaleFactor", {}).get("y", 1) / mla.get("scaleFactor", {}).get("x", 1),
        rotation=float(np.degrees(mla.get("rotation", 0))),
        hexagonal=str(mla.get("tiling", "hex")).startswith("hex"),
        zoom=float(lens.get("zoomStep", 0)),
        focus=float(lens.get("focusStep", 0)),
        exposure=float(devices.get("shutter", {}).get("frameExposureDuration", 0)),
    )


def _pattern(name: str, mosaic: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Of a tile ``r,gr:gb,b`` and its pixel at the upper left, the pattern and the names of its four pixels."""
    first = mosaic.get("upperLeftPixel")
    if mosaic.get("tile") != ":".join(",".join(row) for row in _TILE) or first not in PHASES:
        raise LightFieldError(f"{name}: unknown pixel format: got the mosaic {dict(mosaic)}, want tiles 'r,gr:gb,b'")
    y, x = divmod(PHASES.index(first), 2)
    phases = [_TILE[(row + y) % 2][(column + x) % 2] for row in (0, 1) for column in (0, 1)]
    pattern = "".join(phase[0] for phase in phases).upper()
    assert pattern in PATTERNS
    return pattern, phases


def _gains(name: str, told: Mapping[str, Any], phases: list[str]) -> _Four:
    gains = [float(told.get(phase, 1)) for phase in phases]
    if min(gains) <= 0:
        raise LightFieldError(f"{name}: got white balance gains {gains}, want positive ones")
    return _four([gain / min(gains) for gain in gains])


def _matrix(name: str, color: Mapping[str, Any]) -> tuple[float, ...]:
    told = next((color[key] for key in _MATRICES if key in color), np.eye(3).ravel().tolist())
    if len(told) != 9:
        raise LightFieldError(f"{name}: got a colour matrix of {len(told)} numbers, want 9")
    return tuple(float(value) for value in told)


def _object(name: str, document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise LightFieldError(f"{name}: unknown pixel format: the metadata have no {key!r}")
    return value


def _number(name: str, document: Mapping[str, Any], key: str) -> float:
    value = document.get(key)
    if not isinstance(value, int | float) or value < 0:
        raise LightFieldError(f"{name}: unknown pixel format: got {key!r} = {value!r}, want a number")
    return value


def _four(values: list[float]) -> _Four:
    first, second, third, fourth = values
    return first, second, third, fourth
