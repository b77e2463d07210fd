"""The FAC layer of STFAN."""

from torch import Tensor, nn

from ..dynamic_filter import dynamic_filter


class FAC(nn.Module):
    """Filter adaptive convolution, with the signature of STFAN's ``KernelConv2D`` (Zhou et al., ICCV 2019).

    ``out[n, c, y, x] = sum_ij kernel[n, (c*k + i)*k + j, y, x] * feat_in[n, c, y + i - k//2, x + j - k//2]``, the edge
    pixel going on beyond the edge; no parameters. On the CPU too, and tensors need not be contiguous.

    Args:
        kernel_size: ``k`` in pixels, odd.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size

    def forward(self, feat_in: Tensor, kernel: Tensor) -> Tensor:
        """``feat_in`` ``[N, C, H, W]`` and ``kernel`` ``[N, C*k*k, H, W]``, or ``[N, k*k, H, W]`` for all channels, as
        DRBNet has it; unitless. Gives ``[N, C, H, W]``."""
        return dynamic_filter(feat_in, kernel, self.kernel_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}"
