"""``dynamic_filter`` as a module."""

from collections.abc import Sequence

from torch import Tensor, nn

from .._checks import whole_number
from .._filter_forms import LAYOUTS, options
from ..dynamic_filter import dynamic_filter
from ._arguments import odd


class DynamicFilter(nn.Module):
    """``dynamic_filter`` with its options in the constructor; no parameters.

    ``DynamicFilter(5, border="zeros")(x, filters)`` is ``dynamic_filter(x, filters, 5, border="zeros")``: shapes, units
    and errors are its.

    Args:
        kernel_size, groups, dilation, stride, scale, border, normalize, layout, interleaved: those of
            ``dynamic_filter``.

    Raises:
        ValueError, TypeError: an option is not of that kind.
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int] | None = None,
        *,
        groups: int = 1,
        dilation: int | Sequence[int] = 1,
        stride: int | Sequence[int] = 1,
        scale: int = 1,
        border: str = "replicate",
        normalize: str | None = None,
        layout: str = "groups_first",
        interleaved: bool = False,
    ) -> None:
        super().__init__()
        for size in kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size,):
            if size is not None:
                odd("kernel_size", size)
        options(dilation, stride, scale, border, normalize, interleaved)
        if layout not in LAYOUTS:
            raise ValueError(f"layout: got {layout!r}, want 'groups_first' or 'taps_first'")
        self.kernel_size = kernel_size
        self.groups = whole_number("groups", groups)
        self.dilation = dilation
        self.stride = stride
        self.scale = scale
        self.border = border
        self.normalize = normalize
        self.layout = layout
        self.interleaved = interleaved

    def forward(self, x: Tensor, filters: Tensor, bias: Tensor | None = None) -> Tensor:
        return dynamic_filter(
            x,
            filters,
            self.kernel_size,
            groups=self.groups,
            dilation=self.dilation,
            stride=self.stride,
            scale=self.scale,
            border=self.border,
            normalize=self.normalize,
            bias=bias,
            layout=self.layout,
            interleaved=self.interleaved,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, groups={self.groups}, dilation={self.dilation}, stride={self.stride}, "
            f"scale={self.scale}, border={self.border!r}, normalize={self.normalize!r}, layout={self.layout!r}, "
            f"interleaved={self.interleaved}"
        )
