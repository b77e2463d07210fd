"""DRBNet in one file of plain PyTorch, for programs that have neither lfdeblur nor its compiled operators.

L. Ruan, B. Chen, J. Li, M.-L. Lam, "Learning to Deblur using Light Field Generated and Real Defocus Images", CVPR 2022.
Apache-2.0. ``network_of(state_dict)`` makes the network of a state dict; where spandrel is installed, importing this
file registers the architecture with it.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1  # of every LeakyReLU
PARTS = ("encoder.", "restore.")  # of the state dict; how many of each there are tells the scales


class ConvAct(nn.Conv2d):
    """3x3 convolution that keeps the size (divides it by ``stride``), then LeakyReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride, 1)

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(super().forward(input), SLOPE)


class ResBlock(nn.Module):
    """``x + conv(LeakyReLU(conv(x)))``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.leaky_relu(self.conv1(x), SLOPE))


class UpLevel(nn.Module):
    """Features of the coarser scale, doubled in size, added to the encoder's and refined."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(ResBlock(outputs), ResBlock(outputs))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.blocks(F.leaky_relu(self.up(x), SLOPE) + skip)


class DynamicResidual(nn.Module):
    """A picture filtered with per-pixel kernels, plus itself and a residual; both are predicted."""

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

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        narrow = image.to(features.dtype)  # the picture may be in a wider type than the features
        joint = torch.cat([features, self.image(narrow)], 1)
        residual = F.leaky_relu(self.residual(joint), SLOPE)
        return image + (dynamic_filter(narrow, self.filters(joint), self.kernel_size) + residual).to(image.dtype)


def dynamic_filter(image: Tensor, kernels: Tensor, size: int) -> Tensor:
    """Each pixel with a kernel of its own, shared by the colours: ``[N, 3, H, W]``, ``[N, size * size, H, W]``."""
    height, width = image.shape[-2:]
    padded = F.pad(image, (size // 2,) * 4, mode="replicate")
    out = torch.zeros_like(image)
    for tap in range(size**2):
        y, x = divmod(tap, size)
        out.addcmul_(kernels[:, tap : tap + 1], padded[..., y : y + height, x : x + width])
    return out


class DRBNet(nn.Module):
    """Deblurs pictures of any size.

    Args:
        views: 1, or 2 for the two views of a dual-pixel camera beside the picture.
        width: channels of the finest level.
        kernel_size: side of the predicted kernels, odd.
        scales: number of levels.
        restored: at how many of them, the finest first, there is a dynamic residual block; default: all.
    """

    def __init__(
        self, views: int = 1, width: int = 32, kernel_size: int = 7, scales: int = 4, restored: int | None = None
    ) -> None:
        super().__init__()
        self.views, self.scales, self.multiple = views, scales, 1 << (scales - 1)
        sizes = [width << level for level in range(scales)]
        self.encoder = nn.ModuleList(
            nn.Sequential(
                ConvAct(before, size, stride=1 if level == 0 else 2), ConvAct(size, size), ConvAct(size, size)
            )
            for level, (before, size) in enumerate(zip([3 * views, *sizes[:-1]], sizes, strict=True))
        )
        last = sizes[-1]
        self.bottleneck = nn.Sequential(ConvAct(last, last), ResBlock(last), ResBlock(last), ConvAct(last, last))
        self.decoder = nn.ModuleList(UpLevel(2 * size, size) for size in sizes[:-1])
        self.restore = nn.ModuleList(DynamicResidual(size, width, kernel_size) for size in sizes[:restored])

    def forward(self, input: Tensor, left: Tensor | None = None, right: Tensor | None = None) -> Tensor:
        """``[N, 3, H, W]`` sRGB in [0, 1], to the same; ``left`` and ``right`` where ``views`` is 2.

        The picture is in the dtype of the parameters, or in float32 beside narrower ones: it then stays in float32
        through all scales, and only the features are rounded.
        """
        height, width = input.shape[-2:]
        center = reflected(input * 2 - 1, self.multiple)
        features = center
        if self.views == 2:
            assert left is not None
            assert right is not None
            features = reflected(torch.cat([right, left], 1) * 2 - 1, self.multiple)
        features = features.to(next(self.parameters()).dtype)
        skips = []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        skips.pop()
        features = self.bottleneck(features)
        image = F.avg_pool2d(center, 1 << (len(self.restore) - 1))
        for level in reversed(range(self.scales)):
            if level < len(self.decoder):
                features = self.decoder[level](features, skips.pop())
            if level < len(self.restore) - 1:
                image = F.interpolate(image, scale_factor=2.0, mode="nearest")
            if level < len(self.restore):
                image = self.restore[level](image, features)
        return ((image[..., :height, :width] + 1) / 2).clamp(0, 1)


def reflected(x: Tensor, multiple: int) -> Tensor:
    """Reflect at the bottom and right up to multiples, tiny pictures to and fro."""
    for axis in (2, 3):
        length = x.shape[axis]
        padded = (length + multiple - 1) // multiple * multiple
        period = torch.arange(padded, device=x.device) % max(2 * (length - 1), 1)
        x = x.index_select(axis, (length - 1) - (period - (length - 1)).abs())
    return x


def network_of(state: Mapping[str, Tensor]) -> DRBNet:
    """The network of a state dict, in float32 and evaluation mode; sizes are told by the tensors' shapes."""
    network = DRBNet(**sizes_of(state))
    network.load_state_dict(state)
    return network.eval()


def sizes_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """The arguments of ``DRBNet`` that a state dict fits."""
    width, inputs = state["encoder.0.0.weight"].shape[:2]
    scales, restored = (len({name.split(".")[1] for name in state if name.startswith(part)}) for part in PARTS)
    kernel_size = round(state["restore.0.filters.2.weight"].shape[0] ** 0.5)
    return {
        "views": inputs // 3,
        "width": width,
        "kernel_size": kernel_size,
        "scales": scales,
        "restored": restored,
    }


try:
    from spandrel import MAIN_REGISTRY, Architecture, ArchSupport, ImageModelDescriptor, ModelTiling
    from spandrel.util import KeyCondition
except ImportError:  # not installed: the network alone
    pass
else:

    class DRBNetArch(Architecture[DRBNet]):  # type: ignore[misc]
        """What spandrel finds the network by."""

        def __init__(self) -> None:
            detect = KeyCondition.has_all(
                "encoder.0.0.weight",
                "bottleneck.1.conv1.weight",
                "restore.0.image.0.weight",
                "restore.0.filters.2.weight",
                "restore.0.residual.2.weight",
            )
            super().__init__(id="DRBNet", detect=detect)

        def load(self, state_dict: Mapping[str, Tensor]) -> ImageModelDescriptor[DRBNet]:
            sizes = sizes_of(state_dict)
            if sizes["views"] != 1:
                raise ValueError("DRBNet: dual-view weights take three pictures, spandrel gives one")
            return ImageModelDescriptor(
                DRBNet(**sizes),
                state_dict,
                architecture=self,
                purpose="Restoration",
                tags=[f"{sizes['width']}w", f"{sizes['kernel_size']}k"],
                supports_half=True,
                supports_bfloat16=True,
                scale=1,
                input_channels=3,
                output_channels=3,
                tiling=ModelTiling.SUPPORTED,  # 48 pixels of overlap, 144 for exact results of the paper's network
            )

    if "DRBNet" not in MAIN_REGISTRY:
        MAIN_REGISTRY.add(ArchSupport.from_architecture(DRBNetArch()))
