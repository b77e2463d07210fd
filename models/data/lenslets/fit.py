"""The grid of lenslets in a white picture: square or hexagonal, pitch, rotation and offset, to a fraction of a pixel.

As Dansereau, Pizarro and Williams (CVPR 2013) do: a coarse grid, the centre of every lenslet's bright spot, and least
squares over all of them. With points as complex numbers ``x + iy``, a square grid is
``origin + step * (column + i * row)`` with one complex ``step``; in a hexagonal one the way to the next row is free,
for Lytro's sensors are stretched by some parts in ten thousand. Both fits are linear.
"""

from collections.abc import Iterator

import numpy as np

from .grid import HEXAGONAL_TURN, GridError, LensletGrid, StandsOnEnd

SMALLEST_PITCH = 5.0  # pixels; below, a lenslet has too few pixels to have a centre, or to make views of
FEWEST = 5  # rows and columns of lenslets
_LONGEST_SIDE = 2048  # pixels, of the middle part in which the coarse grid is found
_SKEW = 0.05  # relative difference of the grid's two directions from those of a square or hexagonal grid
_ROUNDS = 3
_STRAY = 4.0  # of the usual residual: beyond, dust or a reflection moved the bright spot
_WORST = 0.1  # of the pitch: the usual residual of what is still a grid
_ENOUGH = 6000  # lenslets: more make the fit slower and no better
_AT_ONCE = 4096  # lenslets whose pixels are in memory
_PARTS = (np.arange(8) + 0.5) / 4 - 1  # of the picture, along each side: their middles
_FAINTEST = 0.05  # of the light in the middle
_SEEN = 0.75  # of the lenslets, at least, that are to be seen where the grid has them
_TOLD = 0.1  # relative: how far the pitch may be from what was told of it


def fit_lenslets(white: np.ndarray, pitch: float | None = None) -> tuple[LensletGrid, tuple[int, int]]:
    """The grid of a white picture, its origin at the first lenslet, and how many rows and columns are whole.

    Args:
        white: ``[H, W]`` floating point, dark level subtracted: an even surface seen through the lenslets.
        pitch: pixels, where it is known to a tenth; None: that of the strongest pattern.

    Raises:
        GridError: no regular pattern, one that is neither square nor hexagonal, or fewer than 5x5 lenslets.
    """
    grid, falloff = _coarse(white, pitch), _falloff(white)
    for number in range(_ROUNDS):
        grid = _refined(white, falloff, grid, _LONGEST_SIDE << number if number < _ROUNDS - 1 else max(white.shape))
    kind = "hexagonal" if grid.hexagonal else "square"
    if grid.residual > _WORST * grid.pitch:
        raise GridError(
            f"the bright spots lie {grid.residual:.2g} pixels from a {kind} grid of pitch {grid.pitch:.4g} pixels"
        )
    if pitch is not None and abs(grid.pitch / pitch - 1) > _TOLD:
        raise GridError(f"pitch: got {pitch:g} pixels, but the {kind} grid in it has one of {grid.pitch:.4g}")
    rows, columns = _inside(white.shape, grid, whole=True)
    if min(len(rows), len(columns)) < FEWEST:
        raise GridError(f"{len(rows)}x{len(columns)} whole lenslets, want at least {FEWEST}x{FEWEST}")
    if (seen := _seen(white, grid)) < _SEEN:
        raise GridError(
            f"no {kind} grid of pitch {grid.pitch:.4g} pixels: only {seen:.0%} of its lenslets are brighter than what "
            "lies between them"
        )
    return grid.starting_at(int(rows[0]), int(columns[0])), (len(rows), len(columns))


def _coarse(white: np.ndarray, pitch: float | None) -> LensletGrid:
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
    lenslets = (distance > 0.75 * FEWEST / min(part.shape)) & (distance < 1.2 / SMALLEST_PITCH)
    if pitch is not None:  # the waves of a hexagonal grid are shorter than its pitch: its rows are closer
        lenslets &= (distance > (1 - 2 * _TOLD) / pitch) & (distance < (1 + 2 * _TOLD) / abs(HEXAGONAL_TURN) / pitch)
        if not lenslets.any():
            raise GridError(
                f"pitch: got {pitch:g} pixels, want {SMALLEST_PITCH:g} or more, and {FEWEST} in the picture"
            )
    across = _peak(spectrum, lenslets & (x > np.abs(y)))
    down = _peak(spectrum, lenslets & (y > np.abs(x)))
    # Where the crests of both waves meet is a lenslet; counted from the middle, where their phases are known best.
    middle = complex((width - 1) / 2, (height - 1) / 2)
    rows, columns = np.arange(height)[:, None] - middle.imag, np.arange(width) - middle.real

    def crest(wave: complex) -> float:
        ramps = (np.exp(-2j * np.pi * wave.imag * rows), np.exp(-2j * np.pi * wave.real * columns))
        return -float(np.angle((ramps[0] * part * ramps[1]).sum())) / (2 * np.pi)

    middle += complex(left, top)
    if abs(down / (1j * across) - 1) <= _SKEW:
        wave = (across - 1j * down) / 2
        step = 1 / wave.conjugate()
        return LensletGrid(middle + step * (crest(wave) + 1j * crest(1j * wave)), step)
    if min(abs(down / (across * np.exp(1j * angle)) - 1) for angle in (np.pi / 3, 2 * np.pi / 3)) <= _SKEW:
        return _hexagonal(across, down, middle, crest(across), crest(down))
    near = f"near the told pitch of {pitch:g} pixels " if pitch is not None else ""
    raise GridError(
        f"{near}the strongest pattern repeats every {1 / abs(across):.4g} pixels across and {1 / abs(down):.4g} down, "
        f"at {np.degrees(np.angle(down / across)):.0f} degrees, want a square or hexagonal grid of lenslets"
    )


def _hexagonal(across: complex, down: complex, middle: complex, *crests: float) -> LensletGrid:
    """The grid whose lenslets lie where the crests of two waves meet, ``crests`` waves from the middle."""
    area = across.real * down.imag - across.imag * down.real
    ways = (complex(down.imag, -down.real) / area, complex(-across.imag, across.real) / area)  # from crest to crest
    around = [ways[0], ways[1], ways[0] + ways[1], ways[0] - ways[1]]
    shortest = sorted(around, key=abs)[:3]
    step = max((way * sign for way in shortest for sign in (1, -1)), key=lambda way: way.real / abs(way))
    if abs(np.degrees(np.angle(step))) > 15:
        raise StandsOnEnd("the hexagonal grid stands on end: its columns are shifted in turns, want rows that are")
    # Measured, not that of a regular grid: over many rows, a small stretch adds up to more than a lenslet.
    neighbours = [way * sign / step for way in shortest for sign in (1, -1)]
    turn = min(neighbours, key=lambda way: abs(way - HEXAGONAL_TURN - 0.5)) - 0.5
    return LensletGrid(middle + ways[0] * crests[0] + ways[1] * crests[1], step, hexagonal=True, turn=turn)


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


def _falloff(white: np.ndarray) -> np.ndarray:
    """The lens' light as a parabola of the place: factors of 1, x, y, xx, xy, yy, from -1 to 1 over the picture.

    Each spot is brighter towards the middle, and its centroid with it: unseen, the pitch comes out too small.
    """
    parts = [
        (y, x, tile.mean())
        for y, rows in zip(_PARTS, np.array_split(white, len(_PARTS)), strict=True)
        for x, tile in zip(_PARTS, np.array_split(rows, len(_PARTS), axis=1), strict=True)
    ]
    y, x, light = np.array(parts).T
    design = np.stack([_parabola(one, y, x) for one in np.eye(6)], -1)
    found: np.ndarray = np.linalg.lstsq(design, light, rcond=None)[0]
    return found


def _parabola(factors: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Its values at these places; broadcasts."""
    value: np.ndarray = (
        factors[0] + x * (factors[1] + factors[3] * x) + y * (factors[2] + factors[4] * x + factors[5] * y)
    )
    return value


def _refined(white: np.ndarray, falloff: np.ndarray, grid: LensletGrid, side: int) -> LensletGrid:
    """Least squares over the bright spots of the lenslets in the middle, those that lie astray left out.

    Args:
        side: of the middle part, pixels. The coarse grid is known from its own part; far beyond, it is a lenslet off.
    """
    inside = _inside(white.shape, grid, whole=False)
    if min(map(len, inside)) < FEWEST:
        raise GridError(f"{len(inside[0])}x{len(inside[1])} lenslets, want at least {FEWEST}x{FEWEST}")
    rows, columns = (index.ravel() for index in np.meshgrid(*inside, indexing="ij"))
    points = grid.centers(rows, columns) - complex(white.shape[1], white.shape[0]) / 2
    near = np.flatnonzero(np.maximum(np.abs(points.real), np.abs(points.imag)) <= side / 2)
    near = near[:: 1 + 2 * (len(near) // _ENOUGH // 2)]
    rows, columns = rows[near], columns[near]
    columns = columns + grid.shift(rows)
    points = grid.points(rows, columns)
    spots = np.concatenate([_bright_spots(white, falloff, some, grid) for some in _chunks(points)])
    known = np.isfinite(spots)
    distance = np.abs(spots - points)
    places = [columns, rows] if grid.hexagonal else [columns + 1j * rows]
    design = np.stack([np.ones(len(rows)), *places], 1)
    for _ in range(2):
        if known.sum() < FEWEST**2:
            raise GridError("too few lenslets have a bright spot")
        found, *_ = np.linalg.lstsq(design[known], spots[known], rcond=None)
        origin, step = complex(found[0]), complex(found[1])
        turn = complex(found[2]) / step if grid.hexagonal else grid.turn
        fitted = LensletGrid(origin, step, hexagonal=grid.hexagonal, turn=turn)
        distance = np.abs(spots - fitted.points(rows, columns))
        residual = float(np.sqrt(np.mean(distance[known] ** 2)))
        known &= distance <= _STRAY * np.median(distance[known])
    return LensletGrid(origin, step, residual, grid.hexagonal, turn)


def _chunks(points: np.ndarray) -> Iterator[np.ndarray]:
    yield from (points[start : start + _AT_ONCE] for start in range(0, len(points), _AT_ONCE))


def _bright_spots(white: np.ndarray, falloff: np.ndarray, centers: np.ndarray, grid: LensletGrid) -> np.ndarray:
    """Centroid of what is brighter than half in each lenslet's own cell; NaN where nothing is."""
    reach = int(np.ceil(grid.pitch * (0.58 if grid.hexagonal else 0.5))) + 1  # to the corners of a hexagon
    x, y = np.rint(centers.real).astype(int), np.rint(centers.imag).astype(int)
    offset = np.arange(-reach, reach + 1)
    # A cell that reaches out of the picture is filled by the nearest pixels; its spot is then seen to be astray.
    ys = np.clip(y[:, None] + offset, 0, white.shape[0] - 1)[:, :, None]
    xs = np.clip(x[:, None] + offset, 0, white.shape[1] - 1)[:, None, :]
    height, width = white.shape
    light = _parabola(falloff.astype(white.dtype), (2 * ys + 1) / height - 1, (2 * xs + 1) / width - 1)
    values = white[ys, xs] / np.maximum(light, _FAINTEST * falloff[0]).astype(white.dtype)
    places = (x[:, None, None] + offset) + 1j * (y[:, None, None] + offset[:, None])
    distance = grid.distance(places - centers[:, None, None])
    share = np.clip((0.5 - distance) * grid.pitch + 0.5, 0, 1)  # of each pixel that lies in the cell
    lowest = np.where(share > 0, values, np.inf).min((1, 2), keepdims=True)
    highest = np.where(share > 0, values, -np.inf).max((1, 2), keepdims=True)
    weights = share * np.clip(values - (lowest + highest) / 2, 0, None)
    total = weights.sum((1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, (weights * places).sum((1, 2)) / total, np.nan)


def _seen(white: np.ndarray, grid: LensletGrid) -> float:
    """The part of the lenslets whose middle is brighter than half the way to the next one.

    Of a multiple of the true grid, or one laid through nothing, it is about a half.
    """
    rows, columns = _inside(white.shape, grid, whole=True)
    centers = grid.centers(rows[:, None], columns[:-1])
    middles, between = (
        white[np.rint(at.imag).astype(int), np.rint(at.real).astype(int)] for at in (centers, centers + grid.step / 2)
    )
    return float((middles > between).mean())


def _inside(shape: tuple[int, ...], grid: LensletGrid, *, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of lenslets of which all lie in the picture: with their cells (``whole``) or their centres."""
    height, width = shape
    corners = np.array([0, width - 1, 1j * (height - 1), width - 1 + 1j * (height - 1)])
    rows_at, columns_at = np.transpose([grid.place(complex(corner)) for corner in corners])
    rows = np.arange(np.floor(rows_at.min()), np.ceil(rows_at.max()) + 1)
    columns = np.arange(np.floor(columns_at.min()), np.ceil(columns_at.max()) + 1)
    centers = grid.centers(rows[:, None], columns)
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
