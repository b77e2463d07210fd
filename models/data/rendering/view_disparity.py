"""The disparity of what another view sees, from that of the centre view; and what fills its gaps."""

import numpy as np

from ..errors import LightFieldError

SAME_SURFACE = 0.25  # pixels per view step: neighbours closer than this belong to one surface
UNSEEN = -np.inf


def fill_from_behind(values: np.ndarray, known: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Fill gaps with the farthest of the nearest known pixels to the left, right, top and bottom.

    Args:
        values: ``[C, H, W]``.
        known: ``[H, W]`` bool, at least one true.
        depth: ``[H, W]`` disparity (larger is nearer); only known pixels count.

    Returns: ``[C, H, W]``; where a whole row and column are unknown, what the filled pixels beside have.
    """
    if known.all():
        return values
    if not known.any():
        raise LightFieldError("disparity: no pixel is known")
    values, depth = values.copy(), np.where(known, depth, np.inf)
    while not known.all():
        gap = np.flatnonzero(~known)
        candidates = np.stack([index.ravel()[gap] for index in _nearest_known(known)])
        found = candidates >= 0
        depths = np.where(found, depth.ravel()[candidates], np.inf)
        farthest = depths.argmin(0)[None]
        source = np.take_along_axis(candidates, farthest, 0)[0]
        reached = np.take_along_axis(found, farthest, 0)[0]
        gap, source = gap[reached], source[reached]
        flat = values.reshape(len(values), -1)
        flat[:, gap] = flat[:, source]
        depth.ravel()[gap] = depth.ravel()[source]
        known = known.copy()
        known.ravel()[gap] = True
    return values


def _nearest_known(known: np.ndarray) -> list[np.ndarray]:
    """For each pixel the flat index of the nearest known one to the left, right, top and bottom; -1: none."""
    index = np.arange(known.size).reshape(known.shape)
    before, after = np.where(known, index, -1), np.where(known, index, known.size)
    found = []
    for axis in (1, 0):
        found.append(np.maximum.accumulate(before, axis))
        beyond = np.flip(np.minimum.accumulate(np.flip(after, axis), axis), axis)
        found.append(np.where(beyond < known.size, beyond, -1))
    return found


def disparity_seen(disparity: np.ndarray, far_first: np.ndarray, offset: tuple[float, float]) -> np.ndarray:
    """The disparity map pushed forward into another view, the nearer surface winning, cracks of one pixel closed.

    Args:
        disparity: ``[H, W]`` float32 of the centre view, pixels per view step; finite.
        far_first: ``[H*W]``, its flat indices from the farthest to the nearest.
        offset: of the view, in view steps ``(v, u)``.

    Returns: ``[H, W]`` float32; ``UNSEEN`` where the centre view does not show what is seen.
    """
    y, x = np.mgrid[: disparity.shape[0], : disparity.shape[1]].astype(np.float32)
    y, x = y - disparity * np.float32(offset[0]), x - disparity * np.float32(offset[1])
    return _close_cracks(_forward(disparity, far_first, y, x))


def _forward(disparity: np.ndarray, far_first: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The nearest disparity that falls on each pixel; ``UNSEEN`` where none does."""
    height, width = disparity.shape
    row, column = np.rint(y).astype(np.int64), np.rint(x).astype(np.int64)
    inside = ((row >= 0) & (row < height) & (column >= 0) & (column < width)).ravel()[far_first]
    source = far_first[inside]
    depth = np.full(height * width, UNSEEN, np.float32)
    depth[(row * width + column).ravel()[source]] = disparity.ravel()[source]  # of several, NumPy keeps the last
    return depth.reshape(height, width)


def _close_cracks(depth: np.ndarray) -> np.ndarray:
    """Single pixels between two of one surface, left and right or above and below, take their mean.

    Also those through which something farther shines.
    """
    for axis in (1, 0):
        lines = np.moveaxis(depth, axis, -1).copy()
        before, after = lines[..., :-2], lines[..., 2:]
        with np.errstate(invalid="ignore"):
            mean = (before + after) / 2
            crack = (np.abs(before - after) < SAME_SURFACE) & (lines[..., 1:-1] < mean - SAME_SURFACE)
        lines[..., 1:-1] = np.where(crack, mean, lines[..., 1:-1])
        depth = np.moveaxis(lines, -1, axis)
    return np.ascontiguousarray(depth)
