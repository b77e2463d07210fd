"""DRBNet: defocus deblurring with per-pixel kernels, from coarse to fine.

L. Ruan, B. Chen, J. Li, M.-L. Lam, "Learning to Deblur using Light Field Generated and Real Defocus Images", CVPR 2022.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lfdeblur_ops import conv3x3, conv_transpose4x4, drb_head, residual_block, winograd

from .identity import start_as_identity
from .official import convert_official

SLOPE = 0.1  # of every LeakyReLU
RANGE = (-1.0, 1.0)  # of the restored picture


_HALF = (torch.bfloat16, torch.float16)
LEAST_PIXELS = 2048  # of all pictures together, for the transforms of the weights to pay


def backend_for(x: Tensor, weight: Tensor, x2: Tensor | None = None, stride: int = 1) -> str:
    """Winograd's transforms where they run and pay; else what runs by default."""
    pays = x.shape[0] * x.shape[2] * x.shape[3] >= LEAST_PIXELS
    return "winograd" if pays and winograd.unfit(x, weight, x2, stride) is None else "auto"


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
            backend=backend_for(x, self.weight, stride=stride),
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
            backend=backend_for(x, first.weight),
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
            backend=backend_for(features, weight, of_image),
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


class DRBNet(nn.Module):
    """Single-view or dual-view network of the paper; with the defaults its structure to the layer.

    An encoder of ``scales`` levels (each half the size and twice the channels of the one before) and a decoder with a
    dynamic residual block per scale. The picture starts as the mean over ``2**(scales-1)`` squared pixels and is
    doubled in size and restored scale by scale, so detail comes from the features alone.

    Args:
        views: 1 (``net(center)``) or 2 (``net(center, left=L, right=R)``, the two views of a dual-pixel camera; the
            encoder sees right and left, the picture that is restored is ``center``).
        width: channels of the finest level; 32 in the paper.
        kernel_size: side of the predicted kernels in pixels, odd, 1 to 15; 7 in the paper.
        scales: number of levels; 4 in the paper.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(self, views: int = 1, *, width: int = 32, kernel_size: int = 7, scales: int = 4) -> None:
        super().__init__()
        if views not in (1, 2):
            raise ValueError(f"views: got {views!r}, want 1 or 2")
        if width < 1:
            raise ValueError(f"width: got {width!r}, want at least 1")
        if kernel_size not in range(1, 16, 2):
            raise ValueError(f"kernel_size: got {kernel_size!r}, want an odd number from 1 to 15")
        if scales < 1:
            raise ValueError(f"scales: got {scales!r}, want at least 1")
        self.views, self.width, self.kernel_size, self.scales = views, width, kernel_size, scales
        sizes = [width << level for level in range(scales)]
        inputs = [3 * views, *sizes]
        self.encoder = nn.ModuleList(
            nn.Sequential(
                ConvAct(before, size, stride=1 if level == 0 else 2), ConvAct(size, size), ConvAct(size, size)
            )
            for level, (before, size) in enumerate(zip(inputs, sizes, strict=False))
        )
        last = sizes[-1]
        self.bottleneck = nn.Sequential(ConvAct(last, last), ResBlock(last), ResBlock(last), ConvAct(last, last))
        self.decoder = nn.ModuleList(UpLevel(2 * size, size) for size in sizes[:-1])
        self.restore = nn.ModuleList(DynamicResidual(size, width, kernel_size) for size in sizes)

    def forward(self, center: Tensor, left: Tensor | None = None, right: Tensor | None = None) -> Tensor:
        """Deblur a picture.

        Args:
            center: ``[N, 3, H, W]`` RGB in [-1, 1], sRGB-encoded in the published training; any H and W of at least 1
                (reflected at the bottom and right up to a multiple of ``2**(scales-1)`` and cropped back). Dtype and
                device of the parameters, or float32 beside parameters of a narrower type: the picture then stays in
                float32 through all scales, and only the features are rounded. Any floating dtype under autocast.
            left, right: as ``center``, for ``views=2`` only.

        Returns:
            ``[N, 3, H, W]`` in [-1, 1]; dtype of ``center`` (under autocast at least float32 where ``center`` is).

        Raises:
            RuntimeError: shapes or devices disagree.
            TypeError: ``left`` and ``right`` missing or surplus, not tensors, or a wrong dtype.
        """
        self._check(center, left, right)
        height, width = center.shape[-2:]
        multiple = 1 << (self.scales - 1)
        center = reflect_to_multiple(center, multiple)
        features = center
        if left is not None and right is not None:
            features = torch.cat([reflect_to_multiple(right, multiple), reflect_to_multiple(left, multiple)], 1)
        features = laid_out(self._rounded(features))

        # A feature is held no longer than it is needed: at the finest scale each is hundreds of MB for a photograph.
        skips: list[Tensor] = []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        skips.pop()
        features = self.bottleneck(features)
        image = F.avg_pool2d(center, multiple)
        del center
        for level in reversed(range(self.scales)):
            if level < self.scales - 1:
                features = self.decoder[level](features, skips.pop())
                image = F.interpolate(image, scale_factor=2.0, mode="nearest")
            image = self.restore[level](image, features, RANGE if level == 0 else None)
        return image[..., :height, :width].contiguous()

    @classmethod
    def from_official(cls, state_dict: Mapping[str, Any]) -> "DRBNet":
        """The network of a published checkpoint.

        Args:
            state_dict: what ``torch.load`` gives for the authors' single-view or dual-view checkpoint; the shape of
                its first layer tells which. It may be wrapped (``{"params": ...}``, ``{"state_dict": ...}`` and the
                like) and its keys may share a prefix such as ``module.``.

        Returns:
            a float32 ``DRBNet`` on the CPU; it gives the published network's output to rounding.

        Raises:
            TypeError: not a mapping of names to tensors.
            ValueError: keys are missing, unexpected or misshaped; the message lists them.
        """
        views, tensors = convert_official(state_dict)
        net = cls(views)
        net.load_state_dict(tensors)
        return net

    def identity_(self) -> "DRBNet":
        """Set weights in place so that the network returns its input, and can be trained from there.

        The picture path starts from a mean over ``2**(scales-1)`` squared pixels. What a scale holds and the coarser
        one does not, its band of the input's Laplacian pyramid, is carried through encoder and decoder as pairs of
        channels ``LeakyReLU(x), LeakyReLU(-x)`` and added as the scale's residual: the output is the input to rounding
        (about 1e-6 in float32), for ``views=2`` ``center`` where it is the mean of ``left`` and ``right``. All other
        weights keep their values; the heads' last layers have gradients at once, the layers before them from the
        first step on.

        Returns: the network itself.

        Raises:
            ValueError: ``width`` is less than 6 and ``scales`` is not 1: no room for three pairs of channels.
        """
        start_as_identity(self)
        return self

    def extra_repr(self) -> str:
        return f"views={self.views}, width={self.width}, kernel_size={self.kernel_size}, scales={self.scales}"

    def _check(self, center: Tensor, left: Tensor | None, right: Tensor | None) -> None:
        weight = next(self.parameters())
        for name, view in check_views(self.views, weight.device, center, left, right).items():
            wanted = (weight.dtype, torch.float32) if weight.dtype in _HALF else (weight.dtype,)
            if view.dtype not in wanted and not _autocast_enabled(view.device.type):
                raise TypeError(f"{name}: got dtype {view.dtype}, want that of the parameters, {weight.dtype}")

    def _rounded(self, features: Tensor) -> Tensor:
        """In the dtype of the parameters; autocast has its own."""
        return features if _autocast_enabled(features.device.type) else features.to(next(self.parameters()).dtype)


def check_views(
    views: int, device: torch.device, center: Tensor, left: Tensor | None, right: Tensor | None
) -> dict[str, Tensor]:
    """The views given, by name; errors as ``DRBNet.forward`` tells, but for the parameters' dtype."""
    given = {"center": center}
    for name, view in (("left", left), ("right", right)):
        if (view is None) == (views == 2):
            raise TypeError(f"{name}: {'missing' if view is None else 'surplus'}, the network has views={views}")
        if view is not None:
            given[name] = view
    for name, view in given.items():
        if not isinstance(view, Tensor):
            raise TypeError(f"{name}: got {type(view).__name__}, want a tensor")
        if view.dim() != 4 or view.shape[1] != 3 or view.shape[2] == 0 or view.shape[3] == 0:
            raise RuntimeError(f"{name}: got shape {list(view.shape)}, want [N, 3, H, W] with H, W >= 1")
        if view.shape != center.shape:
            raise RuntimeError(f"{name}: got shape {list(view.shape)}, want that of center, {list(center.shape)}")
        if view.device != device:
            raise RuntimeError(f"{name}: got device {view.device}, want that of the parameters, {device}")
        if not view.is_floating_point():
            raise TypeError(f"{name}: got dtype {view.dtype}, want floating point with values in [-1, 1]")
        if view.dtype != center.dtype:
            raise TypeError(f"{name}: got dtype {view.dtype}, want that of center, {center.dtype}")
    return given


def laid_out(picture: Tensor) -> Tensor:
    """Channels-last, for the convolutions: their results follow, and no later layer has to change the layout."""
    return picture.contiguous(memory_format=torch.channels_last)


def _autocast_enabled(device: str) -> bool:
    return device != "meta" and torch.is_autocast_enabled(device)


def reflect_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Reflect at the bottom and right up to multiples; tiny pictures are reflected to and fro, one pixel replicated."""
    for axis in (2, 3):
        missing = -x.shape[axis] % multiple
        while missing:
            step = min(missing, max(x.shape[axis] - 1, 1))
            mode = "reflect" if x.shape[axis] > 1 else "replicate"
            x = F.pad(x, (0, 0, 0, step) if axis == 2 else (0, step, 0, 0), mode=mode)
            missing -= step
    return x
