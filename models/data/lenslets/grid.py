"""``LensletGrid``: where the lenslets of a sensor are, square or hexagonal.

Points of the picture are complex numbers ``x + iy``. Places are counted in lenslets: rows are whole numbers, columns
too, but those of a hexagonal grid's odd rows lie half a lenslet to the right.
"""

from dataclasses import dataclass, replace

import numpy as np

from ...io.errors import LfdeblurError

SQUARE_TURN = 1j
HEXAGONAL_TURN = 1j * np.sqrt(3) / 2


class GridError(LfdeblurError, ValueError):
    """No grid of lenslets is seen; the message says what is."""


class StandsOnEnd(GridError):
    """Columns are shifted in turns, not rows: the grid is found in the transposed picture."""


@dataclass(frozen=True)
class LensletGrid:
    """Where lenslets are.

    Attributes:
        origin: centre of the lenslet of row 0 and column 0, ``x + iy`` in pixels; 0 is the centre of the first pixel.
        step: from a lenslet to the next one in its row.
        residual: root mean square distance of the bright spots from this grid, pixels.
        hexagonal: rows are shifted by half a lenslet in turns, the odd ones to the right.
        turn: what ``step`` is multiplied with to come from a row to the next: 1j in a square grid; about 0.866j in a
            hexagonal one, where it also tells how much the grid is stretched or slanted.
    """

    origin: complex
    step: complex
    residual: float = 0.0
    hexagonal: bool = False
    turn: complex = SQUARE_TURN

    @property
    def pitch(self) -> float:
        """Distance of neighbouring lenslets of a row, pixels."""
        return abs(self.step)

    @property
    def rotation(self) -> float:
        """Of the rows, degrees; positive: they go down to the right."""
        return float(np.degrees(np.angle(self.step)))

    def points(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """``x + iy`` of places counted in lenslets, whole or not; broadcasts."""
        return self.origin + self.step * (columns + self.turn * rows)

    def shift(self, rows: np.ndarray) -> np.ndarray:
        """How far right the lenslets of these rows lie, in lenslets."""
        return (0.5 * self.hexagonal) * (rows % 2)

    def centers(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """``x + iy`` of the centres of lenslets in these rows and columns, whole numbers; broadcasts."""
        return self.points(rows, columns + self.shift(rows))

    def place(self, point: complex) -> tuple[float, float]:
        """Row and column of a point, counted in lenslets."""
        at = (point - self.origin) / self.step
        row = at.imag / self.turn.imag
        return row, at.real - row * self.turn.real

    def starting_at(self, row: int, column: int) -> "LensletGrid":
        """This grid, its rows and columns counted from another lenslet."""
        return replace(self, origin=complex(self.centers(np.asarray(row), np.asarray(column))))

    def distance(self, offsets: np.ndarray) -> np.ndarray:
        """How far offsets from a centre (``x + iy``, pixels) lie out in the lenslet's own cell: at its edge 0.5."""
        own = offsets / self.step
        if not self.hexagonal:
            return np.maximum(np.abs(own.real), np.abs(own.imag))
        slanted = own * np.exp(-1j * np.pi / 3)
        return np.maximum(
            np.abs(own.real), np.maximum(np.abs(slanted.real), np.abs((own * np.exp(1j * np.pi / 3)).real))
        )


def nearest(grid: LensletGrid, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the lenslet that each point lies below."""
    at = (points - grid.origin) / grid.step
    row = at.imag / grid.turn.imag
    column = at.real - row * grid.turn.real
    if not grid.hexagonal:
        return np.rint(row), np.rint(column)
    best_row = best_column = np.zeros(())
    least: np.ndarray | float = np.inf
    for candidate in (np.floor(row), np.floor(row) + 1):
        own = np.rint(column - grid.shift(candidate))
        down = row - candidate
        across = column - own - grid.shift(candidate) + grid.turn.real * down
        distance = across * across + (grid.turn.imag * down) ** 2
        closer = distance < least
        best_row, best_column = np.where(closer, candidate, best_row), np.where(closer, own, best_column)
        least = np.where(closer, distance, least)
    return best_row, best_column


def middle_part(grid: LensletGrid, size: tuple[int, int], rows: int, columns: int) -> LensletGrid:
    """The grid, counted from the first of so many rows and columns of lenslets around a picture's middle.

    Args:
        size: height and width of the picture.
    """
    row, column = grid.place(complex((size[1] - 1) / 2, (size[0] - 1) / 2))
    first_row = round(row - (rows - 1) / 2)
    middle_of_columns = (columns - 1 + 0.5 * grid.hexagonal) / 2
    first_column = round(column - middle_of_columns - float(grid.shift(np.asarray(first_row))))
    return grid.starting_at(first_row, first_column)


def whole_lenslets(pitch: float, turn: complex, rotation: float, size: tuple[int, int]) -> tuple[int, int]:
    """How many rows and columns of whole lenslets a sensor has wherever its grid begins.

    Args:
        pitch: pixels.
        rotation: degrees.
        size: height and width of the picture.
    """
    height, width = size
    lean = abs(np.sin(np.radians(rotation)))
    step = pitch * turn.imag
    return int((height - lean * width - pitch) / step - 0.5), int((width - lean * height - pitch) / pitch - 0.5)
