"""``LightField``: the views of a light field and what its files tell about them."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

TRANSFERS = ("srgb", "linear")
_DTYPES = (torch.uint8, torch.uint16, torch.float16, torch.float32, torch.float64)


class LightFieldError(ValueError):
    """A light field that cannot be read or used; the message names the file and says what was found and wanted."""


def central(have: int, keep: int) -> slice:
    """The ``keep`` middle ones of ``have``; where the parity differs, the later half has one more."""
    first = (have - keep + 1) // 2
    return slice(first, first + keep)


@dataclass(frozen=True)
class LightField:
    """Sub-aperture views on a regular grid.

    Geometry: a scene point of disparity ``d`` (pixels per view step, positive = nearer than the plane of zero
    disparity) seen at ``(y, x)`` in the centre is seen at ``(y - d*(v - vc), x - d*(u - uc))`` in view ``(v, u)``, with
    ``vc = (V-1)/2`` and ``uc = (U-1)/2``; this is what ``lfdeblur_ops.refocus`` takes.

    Attributes:
        views: ``[V, U, C, H, W]``, V rows from top to bottom and U columns from left to right, C = 1 or 3; uint8 or
            uint16 as in the files, or floating point in [0, 1].
        transfer: ``srgb`` (encoded for display) or ``linear`` (proportional to light).
        format: the format that was read, for example ``hci``.
        scene: name of the scene: that of the folder or file.
        disparity_range: smallest and largest disparity of the scene in pixels per view step, where the format tells.
        disparity: ``[H, W]`` float32, true disparity of the centre view, or None.
        weights: ``[V, U]`` float32 in [0, 1], how far each view can be trusted (from an alpha channel), or None: all.
        metadata: what else the files tell.
    """

    views: Tensor
    transfer: str = "srgb"
    format: str = "memory"
    scene: str = "scene"
    disparity_range: tuple[float, float] | None = None
    disparity: Tensor | None = None
    weights: Tensor | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = list(self.views.shape)
        if len(shape) != 5 or 0 in shape:
            raise LightFieldError(f"views: got shape {shape}, want [V, U, C, H, W], no axis empty")
        if self.views.dtype not in _DTYPES:
            raise LightFieldError(f"views: got dtype {self.views.dtype}, want uint8, uint16 or floating point")
        if self.transfer not in TRANSFERS:
            raise LightFieldError(f"transfer: got {self.transfer!r}, want 'srgb' or 'linear'")
        if self.disparity is not None and list(self.disparity.shape) != shape[-2:]:
            raise LightFieldError(f"disparity: got shape {list(self.disparity.shape)}, want {shape[-2:]} as the views")
        if self.weights is not None and list(self.weights.shape) != shape[:2]:
            raise LightFieldError(f"weights: got shape {list(self.weights.shape)}, want {shape[:2]} as the grid")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of views."""
        return self.views.shape[0], self.views.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a view in pixels."""
        return self.views.shape[3], self.views.shape[4]

    @property
    def center(self) -> Tensor:
        """The centre view, ``[C, H, W]``. Raises LightFieldError where V or U is even: no view is at the centre."""
        rows, columns = self.grid
        if rows % 2 == 0 or columns % 2 == 0:
            raise LightFieldError(
                f"{self.scene}: a grid of {rows}x{columns} views has no centre view; use with_center()"
            )
        return self.views[rows // 2, columns // 2]

    def with_center(self) -> "LightField":
        """This light field with a centre view: of an even number of rows (columns), the first is left out.

        Returns: the same object where both are odd, else one that shares its memory.
        """
        rows, columns = self.grid
        return self.crop_views(rows - 1 + rows % 2, columns - 1 + columns % 2)

    def crop_views(self, rows: int, columns: int) -> "LightField":
        """The central ``rows x columns`` views, sharing memory; where the parity differs, the later half is kept.

        The true disparity map belongs to the centre and is dropped where the centre moves.
        """
        have = self.grid
        if not (1 <= rows <= have[0] and 1 <= columns <= have[1]):
            raise LightFieldError(f"{self.scene}: got {rows}x{columns} central views to keep of {have[0]}x{have[1]}")
        if (rows, columns) == have:
            return self
        window = central(have[0], rows), central(have[1], columns)
        same_center = (have[0] - rows) % 2 == 0 and (have[1] - columns) % 2 == 0
        return replace(
            self,
            views=self.views[window],
            weights=None if self.weights is None else self.weights[window],
            disparity=self.disparity if same_center else None,
        )
