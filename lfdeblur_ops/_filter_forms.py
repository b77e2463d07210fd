"""The forms in which ``dynamic_filter`` takes filters and numbers, and those in which its kernels do.

Kernels read filters in place as ``[N, G*T*S, H, W]`` or as ``[N, G, T, S, H, W]`` with any strides: G groups of
channels, T taps, S outputs of a position (``scale**2``; 1 where every pixel of the output has a filter of its own).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ._checks import check_image, shown, whole_number

MAX_KERNEL_SIZE = 51
MAX_SCALE = 64
MAX_REACH = 1 << 16  # pixels from the first tap to the last: rows are held with their border
BORDERS = ("replicate", "zeros", "reflect", "circular", "valid")
LAYOUTS = ("groups_first", "taps_first")
NORMALIZATIONS = (None, "softmax", "sum")
EPSILON = 1e-8  # what "sum" adds to the sum of the taps


class Options(NamedTuple):
    """What follows the tensors in ``torch.ops.lfdeblur.dynamic_filter``; pairs are of rows and columns."""

    kernel_size: tuple[int, int]
    border: str = "replicate"
    dilation: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    scale: int = 1
    normalize: str = "none"
    interleaved: bool = False

    @classmethod
    def of(
        cls, kernel_size: Any, border: str = "replicate", dilation: Any = 1, stride: Any = 1, *rest: Any
    ) -> "Options":
        """As the operator has them: lists, or one number for both axes."""
        return cls(_pair(kernel_size), border, _pair(dilation), _pair(stride), *rest)

    @property
    def taps(self) -> int:
        return self.kernel_size[0] * self.kernel_size[1]

    @property
    def taps_said(self) -> str:
        """The number of taps as error texts have it."""
        return "k*k" if self.kernel_size[0] == self.kernel_size[1] else "kh*kw"

    @property
    def forms(self) -> str:
        """Those of filters that are taken."""
        return "[N, G*k*k, H, W], or 5: [N, G, k*k, H, W] or [N, k*k, G, H, W] (layout='taps_first')"

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns from the first tap to the last."""
        return self.dilation[0] * (self.kernel_size[0] - 1), self.dilation[1] * (self.kernel_size[1] - 1)

    def positions(self, x: Sequence[int]) -> tuple[int, int]:
        """Rows and columns of positions that are filtered, for ``x`` of this shape."""
        if self.stride == (1, 1) and self.border != "valid":
            return x[-2], x[-1]
        lost = self.reach if self.border == "valid" else (0, 0)
        return (x[-2] - lost[0] - 1) // self.stride[0] + 1, (x[-1] - lost[1] - 1) // self.stride[1] + 1

    def output(self, x: Sequence[int]) -> tuple[int, ...]:
        rows, columns = self.positions(x)
        return x[0], x[1], self.scale * rows, self.scale * columns

    def per_position(self, x: Sequence[int], filters: Sequence[int]) -> int:
        """``S``, by the height of the filters."""
        return self.scale**2 if self.scale > 1 and filters[-2] == self.positions(x)[0] else 1


class SeparableOptions(Options):
    """The same with ``kh`` vertical and ``kw`` horizontal taps; the first three of them follow the tensors in
    ``torch.ops.lfdeblur.dynamic_filter_separable``."""

    __slots__ = ()

    @property
    def taps(self) -> int:
        return sum(self.kernel_size)

    @property
    def taps_said(self) -> str:
        return "(kh+kw)"

    @property
    def forms(self) -> str:
        return "[N, G*(kh+kw), H, W], or 5: [N, G, kh+kw, H, W]"


def _pair(given: Any) -> tuple[int, int]:
    first, second = given if isinstance(given, (tuple, list)) else (given, given)
    return first, second


def apart(x: Tensor, filters: Tensor, options: Options) -> Tensor:
    """``[N, G, T, S, H, W]``, a view."""
    if filters.dim() == 6:
        return filters
    each = options.per_position(x.shape, filters.shape)
    return filters.unflatten(1, (filters.shape[1] // (options.taps * each), options.taps, each))


def read(
    x: Tensor, filters: Tensor, kernel_size: Any, groups: Any, layout: str, options: Options
) -> tuple[Tensor, Options]:
    """Filters as the kernels take them, for every picture, and the options with the kernel's size."""
    _check_tensors(x, filters, options)
    groups = whole_number("groups", groups)
    if x.shape[1] % groups:
        raise ValueError(f"groups: got {groups}, want a divisor of the {x.shape[1]} channels of x")
    if layout not in LAYOUTS:
        raise ValueError(f"layout: got {layout!r}, want {_either(LAYOUTS)}")
    size = _fitting(x, filters, groups, layout, options) if kernel_size is None else _kernel(kernel_size)
    options = type(options)(size, *options[1:])
    _check_border(x, options)
    _check_size(x, filters, options)
    count = _groups(x, filters, groups, layout, options)
    if count is None:
        raise RuntimeError(_wrong_axes(x, filters, groups, layout, options))
    filters = _view(filters, count, options.taps, options.per_position(x.shape, filters.shape), layout)
    return filters if filters.shape[0] == x.shape[0] else filters.expand(x.shape[0], *filters.shape[1:]), options


def options(dilation: Any, stride: Any, scale: Any, border: str, normalize: str | None, interleaved: bool) -> Options:
    """The checked options, the kernel's size not yet known."""
    dilation, stride = _numbers("dilation", dilation), _numbers("stride", stride)
    scale = whole_number("scale", scale)
    if scale > MAX_SCALE:
        raise ValueError(f"scale: got {scale}, want at most {MAX_SCALE}")
    if scale > 1 and stride != (1, 1):
        raise ValueError(f"stride: got {stride} with scale {scale}, want one of the two to be 1")
    if border not in BORDERS:
        raise ValueError(f"border: got {border!r}, want {_either(BORDERS)}")
    if normalize not in NORMALIZATIONS:
        raise ValueError(f"normalize: got {normalize!r}, want {_either(NORMALIZATIONS)}")
    if not isinstance(interleaved, bool):
        raise TypeError(f"interleaved: got {interleaved!r}, want True or False")
    return Options((1, 1), border, dilation, stride, scale, normalize or "none", interleaved)


def separable_options(dilation: Any, border: str) -> SeparableOptions:
    return SeparableOptions(*options(dilation, 1, 1, border, None, False))


def _either(words: Sequence[str | None]) -> str:
    return f"{', '.join(map(repr, words[:-1]))} or {words[-1]!r}"


def _numbers(name: str, given: Any) -> tuple[int, int]:
    """One number, of NumPy too, or one for rows and one for columns."""
    if type(given) is int and 0 < given <= MAX_REACH:
        return given, given
    both = given if isinstance(given, (tuple, list)) else (given, given)
    if len(both) != 2:
        raise ValueError(f"{name}: got {given!r}, want one integer, or two for rows and columns")
    first, second = whole_number(name, both[0]), whole_number(name, both[1])
    if max(first, second) > MAX_REACH:
        raise ValueError(f"{name}: got {given!r}, want at most {MAX_REACH}")
    return first, second


def _kernel(kernel_size: Any) -> tuple[int, int]:
    try:
        size = _numbers("kernel_size", kernel_size)
    except ValueError:
        size = (0, 0)
    if any(k % 2 == 0 or k > MAX_KERNEL_SIZE for k in size):
        raise ValueError(
            f"kernel_size: got {shown(kernel_size)}, want an odd integer from 1 to {MAX_KERNEL_SIZE}, or two of them, "
            "for rows and columns"
        )
    return size


def _check_tensors(x: Tensor, filters: Tensor, options: Options) -> None:
    check_image("x", x)
    if not isinstance(filters, Tensor):
        raise TypeError(f"filters: got {type(filters).__name__}, want a tensor")
    if filters.dim() not in (4, 5):
        raise RuntimeError(f"filters: got shape {list(filters.shape)}, want 4 axes {options.forms}")
    if filters.dtype != x.dtype:
        raise TypeError(f"filters: got dtype {filters.dtype}, want that of x, {x.dtype}")
    if filters.device != x.device:
        raise RuntimeError(f"filters: got device {filters.device}, want that of x, {x.device}")


def _groups(x: Tensor, filters: Tensor, groups: int, layout: str, options: Options) -> int | None:
    """The groups that the filters' axes between the pictures and the last two are of; None where they do not fit."""
    taps, of_position = options.taps, options.per_position(x.shape, filters.shape)
    channels, axes = x.shape[1], filters.shape[1:-2]
    if len(axes) == 1:
        for count in (1, channels) if groups == 1 else (groups,):
            if axes[0] == count * taps * of_position:
                return count
        return None
    count, rest = (axes[0], axes[1]) if layout == "groups_first" else (axes[1] // of_position, axes[0] * of_position)
    fits = rest == taps * of_position and axes[0] * axes[1] == count * rest
    fits = fits and channels % max(count, 1) == 0 and groups in (1, count) and (count > 0 or channels == 0)
    return count if fits else None


def _view(filters: Tensor, groups: int, taps: int, of_position: int, layout: str) -> Tensor:
    if layout == "groups_first":
        return filters if filters.dim() == 4 else filters.unflatten(2, (taps, of_position))
    if groups == 1:  # the two layouts are one
        return filters if filters.dim() == 4 else filters.flatten(1, 2)
    filters = filters.unflatten(1, (taps, -1)) if filters.dim() == 4 else filters
    return filters.unflatten(2, (groups, of_position)).transpose(1, 2)


def _fitting(x: Tensor, filters: Tensor, groups: int, layout: str, options: Options) -> tuple[int, int]:
    """The only square kernel that the filters' shape is of."""
    fit = []
    for k in range(1, MAX_KERNEL_SIZE + 1, 2):
        of = options._replace(kernel_size=(k, k))
        here = options.border != "valid" or _right_size(x, filters, of)
        count = _groups(x, filters, groups, layout, of) if here else None
        if count is not None:
            fit.append((k, count))
    if len(fit) == 1:
        return fit[0][0], fit[0][0]
    readings = " and ".join(f"{k} ({count} group{'s' * (count != 1)})" for k, count in fit) or "no odd size"
    what = f"{filters.shape[1]} channels of filters" if filters.dim() == 4 else f"filters {list(filters.shape)}"
    beside = f"{x.shape[1]} of x" if filters.dim() == 4 else f"{x.shape[1]} channels of x"
    raise ValueError(f"kernel_size: got None, and {readings} fits {what} beside {beside}; want it said")


def _wrong_axes(x: Tensor, filters: Tensor, groups: int, layout: str, options: Options) -> str:
    rows, columns = options.kernel_size
    channels, of_position = x.shape[1], options.per_position(x.shape, filters.shape)
    k = options.taps_said
    each, what = options.taps * of_position, k if of_position == 1 else f"{k}*scale**2"
    if filters.dim() == 5:
        other = "taps_first" if layout == "groups_first" else "groups_first"
        turned = type(options) is Options and _groups(x, filters, groups, other, options) is not None
        hint = f"; layout={other!r} fits" if turned else ""
        form = f"[N, G, {what} = {each}, H, W]"
        if layout == "taps_first":
            form = f"[N, {k} = {options.taps}, {'G' if of_position == 1 else 'G*scale**2'}, H, W]"
        want = f"G = {groups}" if groups > 1 else f"G a divisor of C = {channels}"
        return f"filters: got shape {list(filters.shape)}, want {form} with {want}{hint}"
    got = filters.shape[1]
    if groups > 1:
        return f"filters: got {got} channels, want groups*{what} = {groups * each}, for kernel_size {rows, columns}"
    count = got // each
    fit = got % each == 0 and count > 0 and channels % count == 0
    return (
        f"filters: got {got} channels, want {what} = {each} (shared by the channels of x) or C*{what} = "
        f"{channels * each}, for kernel_size {rows if rows == columns else (rows, columns)} and C = {channels}"
        f"{f'; groups={count} fits' if fit else ''}"
    )


def _check_border(x: Tensor, options: Options) -> None:
    if max(options.reach) > MAX_REACH:
        raise ValueError(
            f"dilation: got {options.dilation} with kernel_size {options.kernel_size}, whose taps reach "
            f"{max(options.reach)} pixels, want at most {MAX_REACH}"
        )
    if options.border in ("replicate", "zeros"):
        return
    for axis, size, reach in zip(("rows", "columns"), x.shape[-2:], options.reach, strict=True):
        if options.border == "valid" and size <= reach:
            raise RuntimeError(
                f"x: got {size} {axis}, want more than {reach}: kernel_size {options.kernel_size} and dilation "
                f"{options.dilation} reach as far, and with border='valid' x has its border already"
            )
        limit = {"reflect": size - 1, "circular": size}.get(options.border)
        if limit is not None and reach // 2 > limit:
            raise ValueError(
                f"border: got {options.border!r}, which can add {max(limit, 0)} at most to the {size} {axis} of x, and "
                f"kernel_size {options.kernel_size} with dilation {options.dilation} wants {reach // 2}"
            )


def _right_size(x: Tensor, filters: Tensor, options: Options) -> bool:
    rows, columns = options.positions(x.shape)
    return tuple(filters.shape[-2:]) in ((rows, columns), (rows * options.scale, columns * options.scale))


def _check_size(x: Tensor, filters: Tensor, options: Options) -> None:
    fits = _right_size(x, filters, options)
    if fits and (filters.shape[0] == x.shape[0] or filters.shape[0] == 1):
        return
    rows, columns = options.positions(x.shape)
    top, side = (reach // 2 for reach in options.reach)
    more = (x.shape[-2] - filters.shape[-2], x.shape[-1] - filters.shape[-1])
    if not fits and options.border != "valid" and (top or side) and more == (2 * top, 2 * side):
        raise RuntimeError(
            f"x: got shape {list(x.shape)}, {top} pixels more on each side than filters {list(filters.shape)}, want it "
            f"without padding: that is done inside (border={options.border!r}); x with its border is border='valid'"
        )
    axes = ", ".join(["..."] * (filters.dim() - 3))
    each = f", or of each pixel of the result, {rows * options.scale} x {columns * options.scale}"
    flat = f"; filters.unflatten(-1, ({rows}, {columns})) if their last axis is of the pixels"
    raise RuntimeError(
        f"filters: got shape {list(filters.shape)}, want [{x.shape[0]} or 1, {axes}, {rows}, {columns}] for x "
        f"{list(x.shape)}{each if options.scale > 1 else ''}{flat if filters.shape[-1] == rows * columns else ''}"
    )
