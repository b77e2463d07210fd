"""The upsampling layer CARAFE."""

from torch import Tensor, nn

from .._checks import whole_number
from ..dynamic_filter import dynamic_filter
from ._arguments import check_channels, divisor, odd


class Carafe(nn.Module):
    """Content-aware reassembly of features (Wang et al., ICCV 2019): kernels predicted from ``x``, applied to ``x``.

    A 1x1 convolution compresses the channels, another convolution predicts ``up_kernel**2`` taps for each output pixel,
    softmax makes them sum to 1, pixels outside are 0. Names of arguments and parameters (``channel_compressor``,
    ``content_encoder``) are those of MMCV's ``CARAFEPack``: its state dicts load.

    Args:
        channels: of ``x``; a multiple of ``up_group``.
        scale_factor: times as large in each axis.
        up_kernel: size of the reassembly kernel in coarse pixels, odd.
        up_group: groups of channels with kernels of their own.
        encoder_kernel, encoder_dilation: of the convolution that predicts; the kernel odd.
        compressed_channels: channels that it sees.

    Raises:
        ValueError: an argument is no such number.
    """

    def __init__(
        self,
        channels: int,
        scale_factor: int,
        up_kernel: int = 5,
        up_group: int = 1,
        encoder_kernel: int = 3,
        encoder_dilation: int = 1,
        compressed_channels: int = 64,
    ) -> None:
        super().__init__()
        self.channels = channels = whole_number("channels", channels)
        self.scale_factor = scale_factor = whole_number("scale_factor", scale_factor)
        self.up_kernel = up_kernel = odd("up_kernel", up_kernel)
        self.up_group = up_group = divisor("up_group", up_group, channels)
        encoder_kernel = odd("encoder_kernel", encoder_kernel)
        encoder_dilation = whole_number("encoder_dilation", encoder_dilation)
        compressed_channels = whole_number("compressed_channels", compressed_channels)
        self.channel_compressor = nn.Conv2d(channels, compressed_channels, 1)
        self.content_encoder = nn.Conv2d(
            compressed_channels,
            up_group * up_kernel**2 * scale_factor**2,
            encoder_kernel,
            padding=encoder_dilation * (encoder_kernel // 2),
            dilation=encoder_dilation,
        )
        nn.init.xavier_uniform_(self.channel_compressor.weight)
        nn.init.normal_(self.content_encoder.weight, std=0.001)  # nearly the mean of the taps to begin with
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` ``[N, C, H, W]``, features or intensity. Gives ``[N, C, scale_factor*H, scale_factor*W]``.

        Raises:
            TypeError, RuntimeError: ``x`` is no tensor of floating point of that shape.
        """
        check_channels(x, self.channels)
        taps = self.content_encoder(self.channel_compressor(x))
        return dynamic_filter(
            x,
            taps.unflatten(1, (self.up_group, -1)),
            self.up_kernel,
            scale=self.scale_factor,
            border="zeros",
            normalize="softmax",
        )

    def extra_repr(self) -> str:
        return f"scale_factor={self.scale_factor}, up_kernel={self.up_kernel}, up_group={self.up_group}"
