"""What the metadata of a Lytro picture tell about its sensor: size, packing, levels, colours, lenslets, lens."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import LightFieldError
from .bayer import PATTERNS, planes, shifted
from .grid import HEXAGONAL_TURN
from .metadata import Told
from .packing import Packing

PHASES = ("r", "gr", "gb", "b")
_TILE = (("r", "gr"), ("gb", "b"))
_MATRICES = ("ccm", "ccmRgbToSrgbArray")  # Illum, F01
_LARGEST_GAIN, _LARGEST_FACTOR = 100.0, 1000.0
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
        LightFieldError: what is needed to unpack the picture is missing or of a kind that is not known, or another
            value is none that a camera can have.
    """
    told = Told(name, metadata)
    image, devices = told.part("image"), told.part("devices")
    details = image.part("rawDetails") if image.has("rawDetails") else image  # F01's lie deeper than the Illum's
    levels, packed, mosaic = (_needed(details, key) for key in ("pixelFormat", "pixelPacking", "mosaic"))
    packing = Packing(packed.whole("bitsPerPixel"), packed.text("endianness"))
    packing.check(name)
    pattern, phases = _pattern(mosaic)
    black, white = ([levels.part(key).number(phase, None, 0, 65535) for phase in phases] for key in ("black", "white"))
    if not all(high > low for low, high in zip(black, white, strict=True)):
        raise LightFieldError(f"{name}: got black levels {black} and white levels {white}, want white above black")
    color, mla, lens = image.part("color"), devices.part("mla"), devices.part("lens")
    scale = mla.part("scaleFactor")
    across, down = (scale.number(key, 1.0, 0.5, 2.0) for key in ("x", "y"))
    pixel = devices.part("sensor").number("pixelPitch", 0.0, 0, 1)
    return Sensor(
        model=told.part("camera").text("model"),
        serial=Told(name, private).part("camera").text("serialNumber"),
        size=(image.whole("height", None, 1), image.whole("width", None, 1)),
        packing=packing,
        right_shift=levels.whole("rightShift", 0, 0, 15),
        pattern=pattern,
        black=_four(black),
        white=_four(white),
        gains=_gains(color.part("whiteBalanceGain"), phases),
        matrix=_matrix(color),
        pitch=mla.number("lensPitch", 0.0, 0, 1) / pixel * across if pixel else 0.0,
        stretch=down / across,
        rotation=float(np.degrees(mla.number("rotation", 0.0, -np.pi, np.pi))),
        hexagonal=mla.text("tiling", "hex").startswith("hex"),
        zoom=lens.number("zoomStep", 0.0),
        focus=lens.number("focusStep", 0.0),
        exposure=devices.part("shutter").number("frameExposureDuration", 0.0, 0),
    )


def _pattern(mosaic: Told) -> tuple[str, list[str]]:
    """Of a tile ``r,gr:gb,b`` and its pixel at the upper left, the pattern and the names of its four pixels."""
    first = mosaic.text("upperLeftPixel")
    if mosaic.text("tile") != ":".join(",".join(row) for row in _TILE) or first not in PHASES:
        got = reprlib.repr(dict(mosaic.values))
        raise LightFieldError(f"{mosaic.name}: unknown pixel format: got the mosaic {got}, want tiles 'r,gr:gb,b'")
    y, x = divmod(PHASES.index(first), 2)
    phases = [_TILE[(row + y) % 2][(column + x) % 2] for row in (0, 1) for column in (0, 1)]
    pattern = "".join(phase[0] for phase in phases).upper()
    assert pattern in PATTERNS
    return pattern, phases


def _gains(told: Told, phases: list[str]) -> _Four:
    gains = [told.number(phase, 1.0, 1 / _LARGEST_GAIN, _LARGEST_GAIN) for phase in phases]
    return _four([gain / min(gains) for gain in gains])


def _matrix(color: Told) -> tuple[float, ...]:
    key = next((key for key in _MATRICES if color.has(key)), None)
    return tuple(np.eye(3).ravel().tolist()) if key is None else color.numbers(key, 9, _LARGEST_FACTOR)


def _needed(told: Told, key: str) -> Told:
    if not told.has(key):
        raise LightFieldError(f"{told.name}: unknown pixel format: the metadata have no {key!r}")
    return told.part(key)


def _four(values: list[float]) -> _Four:
    first, second, third, fourth = values
    return first, second, third, fourth
