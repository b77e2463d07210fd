"""The layer involution."""

from collections import OrderedDict

from torch import Tensor, nn

from .._checks import whole_number
from ..dynamic_filter import dynamic_filter
from ._arguments import check_channels, divisor, odd


class Involution(nn.Module):
    """Involution (Li et al., CVPR 2021): kernels predicted from each pixel, shared by the channels of a group.

    Reduce (1x1 convolution, batch norm, ReLU) and span (1x1 convolution) predict ``k*k`` taps for each group from
    ``x``, or with a stride from its means over ``stride x stride``; pixels outside are 0. Names of arguments and
    parameters (``conv1.conv``, ``conv1.bn``, ``conv2.conv``) are those of the authors' code: its state dicts load.

    Args:
        channels: of ``x`` and of the result; a multiple of ``group_channels``.
        kernel_size: ``k`` in pixels, odd.
        stride: pixels of ``x`` from one position to the next.
        dilation: pixels from tap to tap.
        group_channels: consecutive channels that share a kernel.
        reduction_ratio: of the channels, between reduce and span; ``channels`` at most.

    Raises:
        ValueError: an argument is no such number.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        *,
        group_channels: int = 16,
        reduction_ratio: int = 4,
    ) -> None:
        super().__init__()
        self.channels = channels = whole_number("channels", channels)
        self.kernel_size = kernel_size = odd("kernel_size", kernel_size)
        self.stride = stride = whole_number("stride", stride)
        self.dilation = whole_number("dilation", dilation)
        self.groups = channels // divisor("group_channels", group_channels, channels)
        hidden = channels // whole_number("reduction_ratio", reduction_ratio)
        if hidden == 0:
            raise ValueError(f"reduction_ratio: got {reduction_ratio}, want at most the {channels} channels")
        reduce = nn.Conv2d(channels, hidden, 1, bias=False)
        self.conv1 = nn.Sequential(OrderedDict(conv=reduce, bn=nn.BatchNorm2d(hidden), activate=nn.ReLU(inplace=True)))
        self.conv2 = nn.Sequential(OrderedDict(conv=nn.Conv2d(hidden, self.groups * kernel_size**2, 1)))
        # Where the stride does not divide the size, as many positions as a convolution of that stride has.
        self.avgpool = nn.AvgPool2d(stride, stride, ceil_mode=True) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """``x`` ``[N, C, H, W]``, features. Gives ``[N, C, ceil(H / stride), ceil(W / stride)]``.

        Raises:
            TypeError, RuntimeError: ``x`` is no tensor of floating point of that shape.
        """
        check_channels(x, self.channels)
        taps = self.conv2(self.conv1(self.avgpool(x)))
        return dynamic_filter(
            x,
            taps.unflatten(1, (self.groups, -1)),
            self.kernel_size,
            stride=self.stride,
            dilation=self.dilation,
            border="zeros",
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, dilation={self.dilation}, groups={self.groups}"
