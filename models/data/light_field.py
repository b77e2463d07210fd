"""``LightField``: the views of a light field and what its files tell about them."""

from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .arguments import check_tensor, disparity_limits, whole_number
from .derived_views import at_scale, every, scale_of, sub_grid
from .epipolar import epi_of, epi_window
from .errors import LightFieldError
from .labelled_array import data_array
from .lazy_views import LazyViews, Window, whole_window
from .positions import kept_positions
from .resampling import nearest, resampled
from .shown import as_html
from .transfer import to_linear

__all__ = ["TRANSFERS", "LightField", "LightFieldError", "central", "linear_light_field"]

TRANSFERS = ("srgb", "linear")
DTYPES = (torch.uint8, torch.uint16, torch.float16, torch.float32, torch.float64)


def central(have: int, keep: int) -> slice:
    """The ``keep`` middle ones of ``have``; where the parity differs, the later half has one more."""
    first = (have - keep + 1) // 2
    return slice(first, first + keep)


class _FromLazyViews:
    """A field that is given as it is, or as ``LazyViews`` that are read when the field is first asked for."""

    def __init__(self, part: int) -> None:
        self._part = part

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            if self._name == "views":
                raise AttributeError("views")  # to dataclass(): a field without a default
            return None
        value = vars(instance)[self._name]
        if isinstance(value, LazyViews):
            part = value.load()[self._part]
            if value.dark_views:
                instance.metadata["dark_views"] = value.dark_views
            return part
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance)[self._name] = value


@dataclass(frozen=True, repr=False)
class LightField:
    """Sub-aperture views on a regular grid.

    Geometry: a scene point of disparity ``d`` (pixels per view step, positive = nearer than the plane of zero
    disparity) seen at ``(y, x)`` in the centre is seen at ``(y - d*(v - vc), x - d*(u - uc))`` in view ``(v, u)``, with
    ``vc = (V-1)/2`` and ``uc = (U-1)/2``; this is what ``lfdeblur_ops.refocus`` takes.

    What ``read_light_field`` returns holds no pixels yet: asking for ``views`` or ``weights`` reads them, once; all
    else is known at once. Cropping before that leaves the rest unread.

    Attributes:
        views: ``[V, U, C, H, W]``, V rows from top to bottom and U columns from left to right, C = 1 or 3; uint8 or
            uint16 as in the files, or floating point in [0, 1]; linear light of pictures may exceed 1.
        transfer: ``srgb`` (encoded for display) or ``linear`` (proportional to light).
        format: the format that was read, for example ``hci``.
        scene: name of the scene: that of the folder or file.
        disparity_range: smallest and largest disparity of the scene in pixels per view step, where the format tells.
        disparity: ``[H, W]`` float32, true disparity of the centre view, or None.
        weights: ``[V, U]`` float32 in [0, 1], how far each view can be trusted (from an alpha or weight channel; 0 for
            dark corner views), or None: all.
        positions: ``[V, U, 2]`` float32 places ``(v, u)`` of the cameras in view steps from the centre, downwards and
            to the right, or None: an exact grid, as the geometry above has it. ``on_regular_grid`` makes it one.
        metadata: what else the files tell; ``dark_views`` (rows and columns) once views that are dark were read.
    """

    views: Tensor = _FromLazyViews(0)  # type: ignore[assignment]
    transfer: str = "srgb"
    format: str = "memory"
    scene: str = "scene"
    disparity_range: tuple[float, float] | None = None
    disparity: Tensor | None = None
    weights: Tensor | None = _FromLazyViews(1)  # type: ignore[assignment]
    metadata: dict[str, Any] = field(default_factory=dict)
    positions: Tensor | None = None

    @classmethod
    def of_lazy_views(cls, pixels: LazyViews, **told: Any) -> "LightField":
        """A light field with the views, weights and transfer of ``pixels``; ``told`` are the other attributes."""
        unread: Any = pixels
        return cls(unread, transfer=pixels.transfer, weights=unread, **told)

    def __post_init__(self) -> None:
        self._check_types()
        shape = list(self.shape)
        if len(shape) != 5 or 0 in shape:
            raise LightFieldError(f"views: got shape {shape}, want [V, U, C, H, W], no axis empty")
        if self.dtype not in DTYPES:
            raise LightFieldError(f"views: got dtype {self.dtype}, want uint8, uint16 or floating point")
        if self.transfer not in TRANSFERS:
            raise LightFieldError(f"transfer: got {self.transfer!r}, want 'srgb' or 'linear'")
        if self.disparity is not None and list(self.disparity.shape) != shape[-2:]:
            raise LightFieldError(f"disparity: got shape {list(self.disparity.shape)}, want {shape[-2:]} as the views")
        if self.positions is not None and list(self.positions.shape) != [*shape[:2], 2]:
            raise LightFieldError(f"positions: got shape {list(self.positions.shape)}, want {[*shape[:2], 2]}")
        weights = vars(self)["weights"]
        told = None if weights is None else list(weights.shape[:2] if isinstance(weights, LazyViews) else weights.shape)
        if told is not None and told != shape[:2]:
            raise LightFieldError(f"weights: got shape {told}, want {shape[:2]} as the grid")

    def _check_types(self) -> None:
        pixels = {"views": "[V, U, C, H, W]", "weights": "[V, U]"}
        for name, want in (pixels | {"disparity": "[H, W]", "positions": "[V, U, 2]"}).items():
            value = vars(self)[name]
            if not (isinstance(value, LazyViews) and name in pixels) and (value is not None or name == "views"):
                check_tensor(name, value, want)
        if self.positions is not None and not bool(torch.isfinite(self.positions).all()):
            raise LightFieldError("positions: got NaN or infinite ones, want view steps from the centre")
        if self.disparity_range is not None:
            disparity_limits("disparity_range", self.disparity_range)

    @property
    def lazy(self) -> bool:
        """Whether the views are still to be read."""
        views = vars(self)["views"]
        return isinstance(views, LazyViews) and not views.loaded

    @property
    def shape(self) -> torch.Size:
        """Of the views, ``[V, U, C, H, W]``; nothing is read for it."""
        return vars(self)["views"].shape

    @property
    def dtype(self) -> torch.dtype:
        """Of the views; nothing is read for it."""
        return vars(self)["views"].dtype

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of views."""
        return self.shape[0], self.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a view in pixels."""
        return self.shape[3], self.shape[4]

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
        rows, columns = whole_number("rows", rows), whole_number("columns", columns)
        if not (1 <= rows <= have[0] and 1 <= columns <= have[1]):
            raise LightFieldError(f"{self.scene}: got {rows}x{columns} central views to keep of {have[0]}x{have[1]}")
        return self.crop(central(have[0], rows), central(have[1], columns))

    def crop(
        self,
        rows: slice = slice(None),
        columns: slice = slice(None),
        y: slice = slice(None),
        x: slice = slice(None),
    ) -> "LightField":
        """A part of the views, and of the pixels in each; views that are not read yet stay unread, but for the part.

        Args:
            rows, columns: of views, without step.
            y, x: of pixels in every view, without step.

        Returns: the same object where nothing is left out; memory is shared with views that are already read. The true
            disparity map belongs to the centre and is dropped where the centre moves.

        Raises:
            LightFieldError: a slice has a step, is empty, or reaches beyond the end.
        """
        part = Window(rows, columns, y, x).within(self.shape, self.scene)
        if part == whole_window(self.shape):
            return self
        same_center = all(
            kept.start + kept.stop == have for kept, have in zip((part.rows, part.columns), self.grid, strict=True)
        )
        views: Any
        weights: Any
        if self.lazy:
            views = weights = vars(self)["views"].crop(part)
        else:
            views, weights = self.views[part.rows, part.columns, :, part.y, part.x], self.weights
            weights = None if weights is None else weights[part.rows, part.columns]
        return self.copy(
            views=views,
            weights=weights,
            disparity=None if self.disparity is None or not same_center else self.disparity[part.y, part.x],
            metadata=dict(self.metadata),
            positions=kept_positions(self.positions, part.rows, part.columns),
        )

    def sub(self, views: int | tuple[int, int] | None = None, *, step: int | tuple[int, int] = 1) -> "LightField":
        """A coarser or smaller grid: the central views, or every ``step``-th around the centre.

        Args:
            views: how many to keep, rows and columns; one number for both; None: as many as there are (of an odd
                number of rows those around the middle one, so that the centre stays).
            step: view steps between neighbours that are kept. Disparities grow by it; rows and columns have the same
                step where more than one of each is kept.

        Returns: a light field of the same pixels, read when they are asked for. The true disparity map belongs to the
            centre and is dropped where the centre moves.

        Raises:
            LightFieldError: so many do not fit, or the steps differ.
        """
        rows, columns, grow = sub_grid(self.grid, views, step)
        same_center = all(one[0] + one[-1] == have - 1 for one, have in zip((rows, columns), self.grid, strict=True))
        spans = [slice(one[0], one[-1] + 1, one.step) for one in (rows, columns)]
        pixels: dict[str, Any]
        if self.lazy:
            unread = every(vars(self)["views"], rows, columns)
            pixels = {"views": unread, "weights": unread}
        else:
            part = tuple(spans)
            pixels = {"views": self.views[part], "weights": None if self.weights is None else self.weights[part]}
        return self.copy(
            **pixels,
            disparity=None if self.disparity is None or not same_center else self.disparity * grow,
            disparity_range=self._range_times(grow),
            positions=kept_positions(self.positions, spans[0], spans[1], grow),
            metadata=self._metadata_times("view_step", grow),
        )

    def resize(
        self, scale: float | None = None, *, height: int | None = None, width: int | None = None
    ) -> "LightField":
        """Views of another size, resampled in linear light (bicubic; averages where they get smaller).

        The scale is the same along both axes, so that disparities, which it multiplies, stay the same along both; rows
        and columns at the end that are not whole are left out. Of the true disparity map each pixel is one of the old.

        Args:
            scale: new pixels per old one; or tell it by the new ``height``, or the new ``width``.

        Returns: a light field of the same dtype and encoding, resampled when its views are asked for; itself at 1.

        Raises:
            LightFieldError: none or several of the three are given, or no pixel is left.
        """
        factor = scale_of(self.size, scale, height, width)
        if factor == 1:
            return self
        pixels: dict[str, Any]
        if self.lazy:
            unread = at_scale(vars(self)["views"], factor)
            pixels = {"views": unread, "weights": unread}
        else:
            pixels = {"views": resampled(self.views, self.transfer, factor)}
        return self.copy(
            **pixels,
            disparity=None if self.disparity is None else nearest(self.disparity, factor) * factor,
            disparity_range=self._range_times(factor),
            metadata=self._metadata_times("pixel_scale", factor),
        )

    def epi(
        self,
        *,
        row: int | None = None,
        column: int | None = None,
        view_row: int | None = None,
        view_column: int | None = None,
    ) -> Tensor:
        """An epipolar image: one line of pixels, seen by a line of views; near points are lines that lean left.

        Args:
            row: of pixels: ``[C, U, W]``, from the views of ``view_row`` (default: the middle one), left to right.
            column: of pixels: ``[C, V, H]``, from the views of ``view_column``, top to bottom.

        Returns: values as in the views; of unread views only those of the line are read.

        Raises:
            LightFieldError: not one of ``row`` and ``column``, an index is outside, or a view is told that has no say.
        """
        window = epi_window(self.shape, row, column, view_row, view_column)
        return epi_of(self.crop(*window).views, row is not None)

    def save(self, path: str | Path, layout: str | None = None, **options: Any) -> Any:
        """Write it: ``lfdeblur_models.data.write_light_field(self, path, layout, **options)``, see there."""
        return import_module(__package__).write_light_field(self, path, layout, **options)  # stands above this file

    def to_xarray(self) -> Any:
        """An ``xarray.DataArray`` that shares the memory of the views: axes ``v, u, channel, y, x``, with coordinates
        (``v`` and ``u`` in view steps from the centre; weights, true disparity and positions too), and the rest as
        attributes. Raises LightFieldError: xarray is not installed."""
        told = {"transfer": self.transfer, "format": self.format, "disparity_range": self.disparity_range}
        attributes = {**self.metadata, **{name: value for name, value in told.items() if value is not None}}
        return data_array(self.views, self.weights, self.disparity, self.positions, self.scene, attributes)

    def _range_times(self, factor: float) -> tuple[float, float] | None:
        if self.disparity_range is None:
            return None
        return self.disparity_range[0] * factor, self.disparity_range[1] * factor

    def _metadata_times(self, name: str, factor: float) -> dict[str, Any]:
        """With what a camera that the files tell of has to be multiplied by."""
        return self.metadata | ({name: self.metadata.get(name, 1) * factor} if factor != 1 else {})

    def copy(self, **changes: Any) -> "LightField":
        """``dataclasses.replace``, but views that are not read yet stay unread; pixels and metadata are shared."""
        stored = {item.name: vars(self)[item.name] for item in fields(self)}
        if "views" in changes and "weights" not in changes:
            stored["weights"] = self.weights
        return LightField(**(stored | changes))

    def with_transfer(self, transfer: str) -> "LightField":
        """The same numbers, taken to be ``srgb`` or ``linear``, whatever the format says."""
        if not self.lazy or transfer not in TRANSFERS:
            return self.copy(transfer=transfer)
        pixels = vars(self)["views"].crop(whole_window(self.shape))
        pixels.transfer = transfer
        return self.copy(views=pixels, weights=pixels, transfer=transfer)

    def check(self) -> None:
        """Raise LightFieldError where unread files are seen to be cut off or not alike; nothing is decoded."""
        if self.lazy:
            vars(self)["views"].check()

    def __repr__(self) -> str:
        rows, columns, channels, height, width = self.shape
        state = "not read yet" if self.lazy else "read"
        return (
            f"LightField({self.scene!r}, {self.format}, {rows}x{columns} views of {width}x{height} pixels, "
            f"{channels} channels, {self.dtype}, {self.transfer}, {state})"
        )

    def _repr_html_(self) -> str:
        """In a notebook: the words, and a small sheet of views; of a light field beyond 256 MB one view is read."""

        def part(*window: slice) -> Tensor:
            return self.views if window == (slice(None),) * 4 else self.crop(*window).views

        return as_html(repr(self), self.shape, self.dtype, self.transfer, part)


def check_light_field(value: Any) -> None:
    """Raises LightFieldError: it is none."""
    if not isinstance(value, LightField):
        raise LightFieldError(
            f"light_field: got a {type(value).__name__}, want a LightField (read_light_field reads one from files)"
        )


def linear_light_field(light_field: LightField) -> LightField:
    """A copy of the light field with views in linear light, float32 in [0, 1]; itself where it is that already."""
    if light_field.transfer == "linear" and light_field.views.is_floating_point():
        return light_field
    return replace(light_field, views=to_linear(light_field.views, light_field.transfer), transfer="linear")
