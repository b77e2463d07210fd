"""How a stored picture lies when it is upright: the EXIF orientation, without copies of pixels."""

from typing import NamedTuple

import numpy as np

from ...io.images import ImageInfo

Rectangle = tuple[int, int, int, int]  # x, y, width, height


class Turn(NamedTuple):
    """From the stored picture to the upright one: transposed first, then flipped."""

    transposed: bool
    upside_down: bool
    mirrored: bool

    @classmethod
    def of(cls, info: ImageInfo) -> "Turn":
        """Of a picture that was opened with ``upright=False``."""
        value = int(info.metadata.get("orientation", (None, 1))[1])
        return _TURNS.get(value, _TURNS[1])

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width, upright; of upright ones as stored."""
        return (width, height) if self.transposed else (height, width)

    def upright(self, stored: np.ndarray) -> np.ndarray:
        """A view of ``[H, W, ...]``."""
        turned = stored.swapaxes(0, 1) if self.transposed else stored
        return turned[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]

    def stored(self, upright: np.ndarray) -> np.ndarray:
        """A view of ``[H, W, ...]``; undoes ``upright``."""
        flipped = upright[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]
        return flipped.swapaxes(0, 1) if self.transposed else flipped

    def upright_part(self, part: Rectangle, height: int, width: int) -> Rectangle:
        """Where a part of the stored picture of this size lies in the upright one."""
        x, y, across, down = part
        if self.transposed:
            x, y, across, down, height, width = y, x, down, across, width, height
        return self._flipped((x, y, across, down), height, width)

    def stored_part(self, part: Rectangle, height: int, width: int) -> Rectangle:
        """Where a part of the upright picture lies in the stored one, which has this size."""
        x, y, across, down = self._flipped(part, *self.size(height, width))
        return (y, x, down, across) if self.transposed else (x, y, across, down)

    def _flipped(self, part: Rectangle, height: int, width: int) -> Rectangle:
        x, y, across, down = part
        return (
            width - x - across if self.mirrored else x,
            height - y - down if self.upside_down else y,
            across,
            down,
        )


_TURNS = {
    1: Turn(False, False, False),
    2: Turn(False, False, True),
    3: Turn(False, True, True),
    4: Turn(False, True, False),
    5: Turn(True, False, False),
    6: Turn(True, False, True),
    7: Turn(True, True, True),
    8: Turn(True, True, False),
}
