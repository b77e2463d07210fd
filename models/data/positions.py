"""Where the cameras of a light field stood, in view steps from the centre; those of an exact grid need not be told."""

import torch
from torch import Tensor

from .errors import LightFieldError

EXACT = 0.01  # view steps: a camera that is no farther from its place than this stands there


def grid_places(rows: int, columns: int) -> Tensor:
    """``[V, U, 2]`` float32 ``(v, u)`` of an exact grid, in view steps from its centre, downwards and to the right."""
    v, u = (torch.arange(count, dtype=torch.float32) - (count - 1) / 2 for count in (rows, columns))
    return torch.stack(torch.meshgrid(v, u, indexing="ij"), -1)


def positions_of_cameras(places: Tensor) -> Tensor | None:
    """Positions from places in any unit and any directions, which the order of rows and columns tells.

    A view step is the mean of those between rows and between columns, in a least-squares sense: disparities are the
    same along both, so cameras whose rows are farther apart than their columns stand on no exact grid.

    Args:
        places: ``[V, U, 2]``, along the rows' and along the columns' direction.

    Returns: ``[V, U, 2]`` float32 as ``LightField.positions``; None: an exact grid, or all cameras in one place.

    Raises: LightFieldError: another shape, or values that are not finite.
    """
    if places.dim() != 3 or places.shape[2] != 2 or not bool(torch.isfinite(places).all()):
        raise LightFieldError(f"positions: got shape {list(places.shape)}, want [V, U, 2], finite numbers")
    places = places.double()
    grid = grid_places(*places.shape[:2]).double()
    steps = [
        float((grid[..., axis] * places[..., axis]).sum() / grid[..., axis].square().sum())
        for axis in (0, 1)
        if places.shape[axis] > 1
    ]
    step = sum(map(abs, steps)) / max(len(steps), 1)
    if step == 0:
        return None
    signs = places.new_tensor([1.0, 1.0])
    for axis, along in zip([axis for axis in (0, 1) if places.shape[axis] > 1], steps, strict=True):
        signs[axis] = 1.0 if along >= 0 else -1.0
    return centred((places * signs / step).float())


def centred(positions: Tensor) -> Tensor | None:
    """Counted from the centre view, or from the middle where there is none; None: an exact grid."""
    rows, columns = positions.shape[:2]
    middle = positions[rows // 2, columns // 2] if rows % 2 and columns % 2 else positions.mean((0, 1))
    positions = positions - middle
    return None if bool((off_grid(positions).abs() <= EXACT).all()) else positions


def off_grid(positions: Tensor) -> Tensor:
    """``[V, U, 2]``: how far each camera is from its place, in view steps downwards and to the right."""
    return positions - grid_places(*positions.shape[:2]).to(positions.device)


def kept_positions(positions: Tensor | None, rows: slice, columns: slice, step: int = 1) -> Tensor | None:
    """Those of a part of the grid, counted from its own centre; ``step``: of which each ``step``-th view is kept."""
    return None if positions is None else centred(positions[rows, columns] / step)
