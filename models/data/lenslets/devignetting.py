"""What the lenslets and the lens do to light, undone by the white picture; pixels of the sensor that are broken."""

import numpy as np

from .bayer import planes
from .grid import LensletGrid, nearest

FAINTEST = 0.02  # of the white picture's brightest: what is darker saw no light to be corrected
REACH = 2  # pixels on every side that a repaired pixel depends on
_BRIGHT = 0.99  # of the white picture's pixels are no brighter
_MIDDLE = 8  # rows and columns of lenslets that tell what is fully lit
_ASTRAY, _MARGIN = 1.5, 0.1  # factor, and part of white, by which a broken pixel leaves the range of those around it


def brightness(white: np.ndarray, pattern: str) -> tuple[float, ...]:
    """Of the bright part of a white picture, for each of the four pixels of the pattern.

    Args:
        white: ``[H, W]`` above the black level.
    """
    return tuple(float(np.quantile(plane[::2, ::2], _BRIGHT)) for _, plane in planes(white, pattern))


def fully_lit(white: np.ndarray, pattern: str, grid: LensletGrid) -> tuple[float, ...]:
    """Of the middles of the lenslets in a white picture's middle, the brightness of the four pixels of the pattern.

    Args:
        white: ``[H, W]`` above the black level.
        grid: of its lenslets.
    """
    start = [max(0, (length - int(_MIDDLE * grid.pitch)) // 4 * 2) for length in white.shape]  # an even pixel
    part = white[start[0] : start[0] + int(_MIDDLE * grid.pitch), start[1] : start[1] + int(_MIDDLE * grid.pitch)]
    y, x = (np.arange(first, first + length) for first, length in zip(start, part.shape, strict=True))
    points = x + 1j * y[:, None]
    out = np.abs(points - grid.centers(*nearest(grid, points)))
    bright = out <= max(1.5, 0.15 * grid.pitch)  # the least that has pixels of every colour
    pairs = zip(planes(part, pattern), planes(bright, pattern), strict=True)
    return tuple(float(plane[shown].mean()) for (_, plane), (_, shown) in pairs)


def devignetted(
    light: np.ndarray, white: np.ndarray, lit: tuple[float, ...], pattern: str
) -> tuple[np.ndarray, np.ndarray]:
    """Light as if all of the sensor were fully lit, and the part of full light that came through to each pixel.

    The white picture's own colour goes: each colour is divided by its own share of light.

    Args:
        light: ``[H, W]`` float32 above the black level; changed in place.
        white: of the same part, likewise.
        lit: what ``fully_lit`` gives of the whole white picture, in the order of this part's pattern.
    """
    for (_, seen), full in zip(planes(white, pattern), lit, strict=True):
        seen *= np.float32(1 / full)
    light /= np.maximum(white, np.float32(FAINTEST))
    return light, white


def repaired(picture: np.ndarray) -> np.ndarray:
    """A devignetted mosaic, pixels that are far brighter or darker than all eight of their colour around replaced.

    A lenslet shows the scene in several pixels of each colour, so that no detail is one pixel large; what is, is a hot
    or dead pixel of the sensor, in this picture or in the white one.

    Args:
        picture: ``[H, W]`` float32, 1 = white.
    """
    padded = np.pad(picture, REACH, mode="reflect")
    height, width = picture.shape
    around = [padded[y : y + height, x : x + width] for y in (0, 2, 4) for x in (0, 2, 4) if (y, x) != (REACH, REACH)]
    low, high = around[0].copy(), around[0].copy()
    for values in around[1:]:
        np.minimum(low, values, out=low)
        np.maximum(high, values, out=high)
    broken = (picture > _ASTRAY * high + _MARGIN) | (picture < low / _ASTRAY - _MARGIN)
    if broken.any():
        picture = picture.copy()
        picture[broken] = np.median([values[broken] for values in around], 0)
    return picture
