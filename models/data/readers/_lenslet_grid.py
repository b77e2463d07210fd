"""The square grid of lenslets in a white picture: pitch, rotation and offset, to a fraction of a pixel.

As Dansereau, Pizarro and Williams (CVPR 2013) do: a coarse grid, the centre of every lenslet's bright spot, and least
squares over all of them. Points of the picture are complex numbers ``x + iy``: a square grid is then
``origin + step * (column + i * row)`` with one complex ``step``, and its fit is linear.
"""

from dataclasses import dataclass

import numpy as np

from ...io.errors import LfdeblurError

SMALLEST_PITCH = 5.0  # pixels; below, a lenslet has too few pixels to have a centre, or to make views of
FEWEST = 5  # rows and columns of lenslets
_LONGEST_SIDE = 2048  # pixels, of the middle part in which the coarse grid is found
_SQUARE = 0.05  # relative difference of the grid's two directions from equal length and a right angle
_ROUNDS = 3
_STRAY = 4.0  # of the usual residual: beyond, dust or a reflection moved the bright spot
_WORST = 0.1  # of the pitch: the usual residual of what is still a grid


class GridError(LfdeblurError, ValueError):
    """No square grid of lenslets is seen; the message says what is."""


@dataclass(frozen=True)
class LensletGrid:
    """Where lenslets are.

    Attributes:
        origin: centre of the lenslet of row 0 and column 0, ``x + iy`` in pixels; 0 is the centre of the first pixel.
        step: from a lenslet to the next one in its row; the next one in its column is at ``1j * step``.
        residual: root mean square distance of the bright spots from this grid, pixels.
    """

    origin: complex
    step: complex
    residual: float

    @property
    def pitch(self) -> float:
        """Distance of neighbouring lenslets, pixels."""
        return abs(self.step)

    @property
    def rotation(self) -> float:
        """Of the rows, degrees; positive: they go down to the right."""
        return float(np.degrees(np.angle(self.step)))

    def points(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """``x + iy`` of places counted in lenslets, whole or not; broadcasts."""
        return self.origin + self.step * (columns + 1j * rows)


def fit_lenslets(white: np.ndarray) -> tuple[LensletGrid, tuple[int, int]]:
    """The grid of a white picture, its origin at the first lenslet, and how many rows and columns are whole.

    Args:
        white: ``[H, W]`` floating point, dark level subtracted: an even surface seen through the lenslets.

    Raises:
        GridError: no regular pattern, not a square one, or fewer than 5x5 lenslets.
    """
    grid = _coarse(white)
    for _ in range(_ROUNDS):
        grid = _refined(white, grid)
    if grid.residual > _WORST * grid.pitch:
        raise GridError(
            f"the bright spots lie {grid.residual:.2g} pixels from a square grid of pitch {grid.pitch:.4g} pixels"
        )
    rows, columns = _inside(white.shape, grid, whole=True)
    if min(len(rows), len(columns)) < FEWEST:
        raise GridError(f"{len(rows)}x{len(columns)} whole lenslets, want at least {FEWEST}x{FEWEST}")
    first = complex(grid.points(rows[0], columns[0]))
    return LensletGrid(first, grid.step, grid.residual), (len(rows), len(columns))


def _coarse(white: np.ndarray) -> LensletGrid:
    """From the two strongest waves in the middle of the picture, one mostly across and one mostly down."""
    height, width = (min(side, _LONGEST_SIDE) for side in white.shape)
    top, left = (white.shape[0] - height) // 2, (white.shape[1] - width) // 2
    part = white[top : top + height, left : left + width]
    if min(part.shape) < FEWEST * SMALLEST_PITCH:
        raise GridError(f"a picture of {white.shape[1]}x{white.shape[0]} pixels is too small for one")
    part = (part - part.mean()) * np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    spectrum = np.abs(np.fft.fft2(part))
    y, x = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
    distance = np.hypot(y, x)
    lenslets = (distance > 0.75 * FEWEST / min(part.shape)) & (distance < 1 / SMALLEST_PITCH)
    across = _peak(spectrum, lenslets & (x > np.abs(y)))
    down = _peak(spectrum, lenslets & (y > np.abs(x)))
    skew = abs(down / (1j * across) - 1)
    if skew > _SQUARE:
        raise GridError(
            f"the strongest pattern repeats every {1 / abs(across):.4g} pixels across and {1 / abs(down):.4g} down, "
            f"at {np.degrees(np.angle(down / across)):.0f} degrees, want a square grid of lenslets (no hexagonal one)"
        )
    wave = (across - 1j * down) / 2
    step = 1 / wave.conjugate()
    # Where the crests of both waves meet is a lenslet; counted from the middle, where their phases are known best.
    middle = complex((width - 1) / 2, (height - 1) / 2)
    rows, columns = np.arange(height)[:, None] - middle.imag, np.arange(width) - middle.real

    def crest(wave: complex) -> float:
        ramps = (np.exp(-2j * np.pi * wave.imag * rows), np.exp(-2j * np.pi * wave.real * columns))
        return -float(np.angle((ramps[0] * part * ramps[1]).sum())) / (2 * np.pi)

    origin = complex(left, top) + middle + step * (crest(wave) + 1j * crest(1j * wave))
    return LensletGrid(origin, step, 0.0)


def _peak(spectrum: np.ndarray, where: np.ndarray) -> complex:
    """The strongest wave, ``fx + i*fy`` in cycles per pixel, between the lines of the spectrum."""
    y, x = np.unravel_index(np.argmax(np.where(where, spectrum, -1)), spectrum.shape)

    def between(lines: np.ndarray) -> float:
        before, at, after = np.log(lines + 1e-12)
        bend = before - 2 * at + after
        return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0

    height, width = spectrum.shape
    near_y, near_x = np.arange(y - 1, y + 2) % height, np.arange(x - 1, x + 2) % width
    signed_y, signed_x = (at - size * (at > size // 2) for at, size in ((y, height), (x, width)))
    fx = (signed_x + between(spectrum[y, near_x])) / width
    fy = (signed_y + between(spectrum[near_y, x])) / height
    return complex(fx, fy)


def _refined(white: np.ndarray, grid: LensletGrid) -> LensletGrid:
    """Least squares over the bright spots of all lenslets, those that lie astray left out."""
    inside = _inside(white.shape, grid, whole=False)
    rows, columns = (index.ravel() for index in np.meshgrid(*inside, indexing="ij"))
    if min(map(len, inside)) < FEWEST:
        raise GridError(f"{len(inside[0])}x{len(inside[1])} lenslets, want at least {FEWEST}x{FEWEST}")
    spots = _bright_spots(white, grid.points(rows, columns), grid.step)
    known = np.isfinite(spots)
    distance = np.abs(spots - grid.points(rows, columns))
    for _ in range(2):
        if known.sum() < FEWEST**2:
            raise GridError("too few lenslets have a bright spot")
        design = np.stack([np.ones(known.sum()), columns[known] + 1j * rows[known]], 1)
        (origin, step), *_ = np.linalg.lstsq(design, spots[known], rcond=None)
        distance = np.abs(spots - (origin + step * (columns + 1j * rows)))
        residual = float(np.sqrt(np.mean(distance[known] ** 2)))
        known &= distance <= _STRAY * np.median(distance[known])
    return LensletGrid(complex(origin), complex(step), residual)


def _bright_spots(white: np.ndarray, centers: np.ndarray, step: complex) -> np.ndarray:
    """Centroid of what is brighter than half in each lenslet's own square; NaN where nothing is."""
    reach = int(np.ceil(abs(step) / 2)) + 1
    x, y = np.rint(centers.real).astype(int), np.rint(centers.imag).astype(int)
    offset = np.arange(-reach, reach + 1)
    # A square that reaches out of the picture is filled by the nearest pixels; its spot is then seen to be astray.
    ys = np.clip(y[:, None] + offset, 0, white.shape[0] - 1)[:, :, None]
    xs = np.clip(x[:, None] + offset, 0, white.shape[1] - 1)[:, None, :]
    values = white[ys, xs]
    places = (x[:, None, None] + offset) + 1j * (y[:, None, None] + offset[:, None])
    own = (places - centers[:, None, None]) / step  # in lenslets, along their rows and columns
    distance = np.maximum(np.abs(own.real), np.abs(own.imag))
    share = np.clip((0.5 - distance) * abs(step) + 0.5, 0, 1)  # of each pixel that lies in the square
    lowest = np.where(share > 0, values, np.inf).min((1, 2), keepdims=True)
    highest = np.where(share > 0, values, -np.inf).max((1, 2), keepdims=True)
    weights = share * np.clip(values - (lowest + highest) / 2, 0, None)
    total = weights.sum((1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, (weights * places).sum((1, 2)) / total, np.nan)


def _inside(shape: tuple[int, ...], grid: LensletGrid, *, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of lenslets of which all lie in the picture: with their squares (``whole``) or their centres."""
    height, width = shape
    corners = np.array([0, width - 1, 1j * (height - 1), width - 1 + 1j * (height - 1)])
    places = (corners - grid.origin) / grid.step
    rows = np.arange(np.floor(places.imag.min()), np.ceil(places.imag.max()) + 1)
    columns = np.arange(np.floor(places.real.min()), np.ceil(places.real.max()) + 1)
    centers = grid.points(rows[:, None], columns)
    margin = (abs(grid.step.real) + abs(grid.step.imag)) / 2 - 0.5 if whole else 0.0
    fits = (
        (np.minimum(centers.real, width - 1 - centers.real) >= margin)
        & (np.minimum(centers.imag, height - 1 - centers.imag) >= margin)
    )  # fmt: skip
    while not fits.all():  # the side with the most lenslets outside goes first
        sides = [fits[0], fits[-1], fits[:, 0], fits[:, -1]]
        worst = int(np.argmin([side.mean() for side in sides]))
        keep = [slice(1, None), slice(None, -1)][worst % 2]
        if worst < 2:
            rows, fits = rows[keep], fits[keep]
        else:
            columns, fits = columns[keep], fits[:, keep]
        if not fits.size:
            break
    return rows, columns
