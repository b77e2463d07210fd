"""``LensletCamera``: a sensor behind lenslets that captures are simulated of, and those that are known by name."""

from dataclasses import dataclass, field

import numpy as np

from ..errors import LightFieldError
from .bayer import check_pattern
from .grid import HEXAGONAL_TURN, SQUARE_TURN, LensletGrid
from .packing import Packing

_SMALLEST = 5.0  # pixels of pitch
_MOST_BITS = 16
_LONGEST = 1 << 15  # pixels of a side: a picture of 2 GB


@dataclass(frozen=True)
class LensletCamera:
    """A light-field camera: a sensor, lenslets before it, a lens before them.

    Attributes:
        model: its name in metadata.
        size: height and width of the sensor in pixels; None: one pitch for each pixel of the light field's views.
        pitch: from a lenslet to the next in its row, pixels.
        hexagonal: rows are shifted in turns; else a square grid.
        rotation: of the rows, degrees; positive: they go down to the right.
        offset: ``(y, x)`` in pixels, from the sensor's middle to the lenslet nearest to it.
        stretch: of the distance of rows.
        bits, endianness: of a raw pixel, as it is packed.
        bayer: the pattern of the sensor; None: grey.
        black, white: levels.
        gains: white balance for red, green and blue; none below 1.
        matrix: nine numbers row by row, from the camera's balanced colours to linear sRGB.
        falloff: part of the light that the lens loses in the sensor's corners.
        pixel_pitch: metres.

    Raises:
        LightFieldError: an attribute is outside its range; the message names it.
    """

    model: str
    size: tuple[int, int] | None = None
    pitch: float = 12.0
    hexagonal: bool = False
    rotation: float = 0.0
    offset: tuple[float, float] = (0.0, 0.0)
    stretch: float = 1.0
    bits: int = 16
    endianness: str = "little"
    bayer: str | None = None
    black: int = 0
    white: int = 65535
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    matrix: tuple[float, ...] = field(default=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    falloff: float = 0.3
    pixel_pitch: float = 1.4e-6

    def __post_init__(self) -> None:
        if not _SMALLEST <= self.pitch < float("inf"):
            raise LightFieldError(f"pitch: got {self.pitch}, want at least {_SMALLEST:g} pixels")
        if not -15 <= self.rotation <= 15:
            raise LightFieldError(f"rotation: got {self.rotation}, want from -15 to 15 degrees")
        if not 8 <= self.bits <= _MOST_BITS:
            raise LightFieldError(f"bits: got {self.bits}, want from 8 to {_MOST_BITS}")
        if not 0 <= self.black < self.white < 1 << self.bits:
            raise LightFieldError(
                f"black, white: got {self.black} and {self.white}, want levels of {self.bits} bits, white above black"
            )
        if not 0 <= self.falloff < 1:
            raise LightFieldError(f"falloff: got {self.falloff}, want a part of the light, from 0 to below 1")
        if not np.isfinite(self.offset).all() or min(self.gains) < 1:
            raise LightFieldError(f"offset, gains: got {self.offset} and {self.gains}, want numbers, gains not below 1")
        if self.size is not None and min(self.size) < 8 * self.pitch:
            height, width = self.size
            raise LightFieldError(
                f"size: got {width}x{height} pixels, want 8 lenslets of {self.pitch:g} pixels each way"
            )
        if self.size is not None and max(self.size) > _LONGEST:
            raise LightFieldError(f"size: got {self.size[1]}x{self.size[0]} pixels, want at most {_LONGEST} each way")
        if self.bayer is not None:
            check_pattern("bayer", self.bayer)

    @property
    def packing(self) -> Packing:
        return Packing(self.bits, self.endianness)

    @property
    def turn(self) -> complex:
        """From a row of lenslets to the next, as ``LensletGrid`` has it."""
        return (HEXAGONAL_TURN if self.hexagonal else SQUARE_TURN) * self.stretch

    def grid(self, size: tuple[int, int]) -> LensletGrid:
        """Where the lenslets are on a sensor of this height and width; row 0 and column 0 are near its middle."""
        middle = complex((size[1] - 1) / 2 + self.offset[1], (size[0] - 1) / 2 + self.offset[0])
        step = complex(self.pitch * np.exp(1j * np.radians(self.rotation)))
        return LensletGrid(middle, step, hexagonal=self.hexagonal, turn=self.turn)


# Levels, colours and lenslets: of pictures of one camera each, as published in imageio's tests.
CAMERAS = {
    "f01": LensletCamera(
        "F01",
        (3280, 3280),
        pitch=10.0,
        hexagonal=True,
        rotation=-0.0492,
        stretch=1.0003735,
        bits=12,
        endianness="big",
        bayer="BGGR",
        black=168,
        white=4095,
        gains=(1.0, 1.0, 1.2578125),
        matrix=(3.11158, -1.93939, -0.17219, -0.36291, 1.64088, -0.27797, 0.07897, -1.15580, 2.07683),
    ),
    "illum": LensletCamera(
        "ILLUM",
        (5368, 7728),
        pitch=20 / 1.4,
        hexagonal=True,
        rotation=-0.0311,
        stretch=1.000343,
        bits=10,
        bayer="GRBG",
        black=64,
        white=1023,
        gains=(1.37886, 1.0, 1.14847),
        matrix=(2.22715, -1.05529, -0.17186, -0.42691, 1.74586, -0.31895, -0.20497, -0.74699, 1.95196),
    ),
    "lab": LensletCamera("lab", pitch=12.0, rotation=0.3, black=100),
}
