"""The FAC layer of STFAN."""

from torch import Tensor, nn

from .._checks import check_image
from ..dynamic_filter import dynamic_filter
from ._arguments import check_weights, odd


class FAC(nn.Module):
    """Filter adaptive convolution, with the signature of STFAN's ``KernelConv2D`` (Zhou et al., ICCV 2019).

    ``out[n, c, y, x] = sum_ij kernel[n, (c*k + i)*k + j, y, x] * feat_in[n, c, y + i - k//2, x + j - k//2]``, the edge
    pixel going on beyond the edge; no parameters. On the CPU too, and tensors need not be contiguous.

    Args:
        kernel_size: ``k`` in pixels, odd.

    Raises:
        ValueError: ``kernel_size`` is no such number.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = odd("kernel_size", kernel_size)

    def forward(self, feat_in: Tensor, kernel: Tensor) -> Tensor:
        """``feat_in`` ``[N, C, H, W]`` and ``kernel`` ``[N, C*k*k, H, W]``, or ``[N, k*k, H, W]`` for all channels, as
        DRBNet has it; unitless. ``[1, ...]`` is for every picture. Gives ``[N, C, H, W]``.

        Raises:
            TypeError, RuntimeError: ``feat_in`` or ``kernel`` is no tensor of floating point of that shape, or their
                dtypes or devices differ.
        """
        check_image("feat_in", feat_in)
        taps, (channels, height, width) = self.kernel_size**2, feat_in.shape[1:]
        shapes = ((channels * taps, height, width), (taps, height, width))
        check_weights("kernel", kernel, shapes, feat_in, "feat_in")
        return dynamic_filter(feat_in, kernel, self.kernel_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}"
