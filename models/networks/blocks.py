"""The layers that DRBNet is made of, and how pictures are laid out for them."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lfdeblur_ops import channels_last, conv3x3, conv_transpose4x4, drb_head, residual_block

from .configuration import Configuration

SLOPE = 0.1  # of every LeakyReLU
RANGE = (-1.0, 1.0)  # of the restored picture
BACKEND = "fast"  # of the 3x3 convolutions: Winograd's transforms where they run and pay


class Layers(Protocol):
    """The layer list of a DRBNet: what other forms of the network, and facts about it, are made from."""

    configuration: Configuration
    encoder: nn.ModuleList
    bottleneck: nn.Sequential
    decoder: nn.ModuleList
    restore: nn.ModuleList


class ConvAct(nn.Conv2d):
    """3x3 convolution that keeps the size (divides it by ``stride``), then LeakyReLU(0.1)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        stride: int = self.stride[0]
        return conv3x3(
            x,
            self.weight,
            self.bias,
            activation="leaky_relu",
            stride=stride,
            negative_slope=SLOPE,
            backend=BACKEND,
        )


class ResBlock(nn.Module):
    """``x + conv(LeakyReLU(conv(x)))``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.conv1, self.conv2
        return residual_block(
            x,
            first.weight,
            first.bias,
            second.weight,
            second.bias,
            negative_slope=SLOPE,
            backend=BACKEND,
        )


class UpLevel(nn.Module):
    """Features of the coarser scale, doubled in size, added to the encoder's and refined."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(ResBlock(outputs), ResBlock(outputs))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        up = self.up
        x = conv_transpose4x4(x, up.weight, up.bias, activation="leaky_relu", residual=skip, negative_slope=SLOPE)
        del skip  # the blocks need it no longer
        return self.blocks(x)


class DynamicResidual(nn.Module):
    """The paper's dynamic residual block: a picture filtered with predicted per-pixel kernels, plus a residual.

    ``image + dynamic_filter(image, kernels) + residual``, both predicted from ``features`` and the picture. The first
    layers of the two branches read the same input: they run as one convolution.
    """

    def __init__(self, channels: int, width: int, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        least, most = 2 * width, 4 * width
        wide, middle = max(channels, least), min(max(channels, least), most)
        self.image = nn.Sequential(ConvAct(3, least), ConvAct(least, middle), ConvAct(middle, channels))
        self.filters = nn.Sequential(
            ConvAct(2 * channels, wide), ConvAct(wide, middle), nn.Conv2d(middle, kernel_size**2, 1)
        )
        self.residual = nn.Sequential(ConvAct(2 * channels, wide), ConvAct(wide, least), nn.Conv2d(least, 3, 1))
        self.merged: tuple[Tensor, Tensor] | None = None

    def merge(self) -> None:
        """For inference: hold the weights that run together side by side, instead of doing so in each call.

        Later changes of the parameters, and moves, have no effect on them.
        """
        with torch.no_grad():
            self.merged = self._first_layers()

    def _first_layers(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the two branches' first layers as one convolution."""
        if self.merged is not None:
            return self.merged
        first: list[Any] = [self.filters[0], self.residual[0]]
        weight, bias = (torch.cat([getattr(layer, name) for layer in first]) for name in ("weight", "bias"))
        return weight, bias

    def forward(self, image: Tensor, features: Tensor, clip: tuple[float, float] | None = None) -> Tensor:
        to_filters: Any = self.filters
        to_residual: Any = self.residual
        weight, bias = self._first_layers()
        of_image = self.image(laid_out(image.to(features.dtype)))  # the picture may be in a wider type
        both = conv3x3(
            features,
            weight,
            bias,
            activation="leaky_relu",
            x2=of_image,
            negative_slope=SLOPE,
            backend=BACKEND,
        )
        del features, of_image
        for_filters, for_residual = both.split([to_filters[0].out_channels, to_residual[0].out_channels], 1)
        del both
        for_filters, for_residual = to_filters[1](for_filters), to_residual[1](for_residual)
        return drb_head(
            for_filters,
            to_filters[2].weight,
            to_filters[2].bias,
            for_residual,
            to_residual[2].weight,
            to_residual[2].bias,
            image,
            self.kernel_size,
            SLOPE,
            clip=clip,
        )


def laid_out(picture: Tensor) -> Tensor:
    """Channels-last, for the convolutions: their results follow, and no later layer has to change the layout.

    Under ``vmap``, which has no other layout than the contiguous one, the picture as it is.
    """
    return channels_last(picture)


def reflect_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Reflect at the bottom and right up to multiples; tiny pictures are reflected to and fro, one pixel replicated."""
    for axis in (2, 3):
        size = x.shape[axis]
        whole = (size + multiple - 1) // multiple * multiple
        # Traced code asks nothing of sizes: it serves every size.
        if torch.compiler.is_compiling() or whole != size:
            x = x.index_select(axis, _to_and_fro(size, whole, x.device))
    return x


def cropped(x: Tensor, height: int, width: int) -> Tensor:
    """The top left part, contiguous."""
    if torch.compiler.is_compiling():  # which asks of a view whether it is contiguous: that differs from size to size
        for axis, size in ((2, height), (3, width)):
            x = x.index_select(axis, torch.arange(size, device=x.device))
        return x
    return x[..., :height, :width].contiguous()


def _to_and_fro(size: int, whole: int, device: torch.device) -> Tensor:
    """``0 ... size - 1 ... 0 ... size - 1 ...``, ``whole`` numbers."""
    last = size - 1
    steps = torch.arange(whole, device=device) % torch.sym_max(2 * last, 1)
    return last - (steps - last).abs()
