"""DRBNet: defocus deblurring with per-pixel kernels, from coarse to fine.

L. Ruan, B. Chen, J. Li, M.-L. Lam, "Learning to Deblur using Light Field Generated and Real Defocus Images", CVPR 2022.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import RANGE, ConvAct, DynamicResidual, ResBlock, UpLevel, cropped, laid_out, reflect_to_multiple
from .configuration import Configuration
from .identity import set_identity
from .official import published_tensors, renamed, views_of
from .pretrained import Pretrained
from .receptive_field import receptive_radius

SILENCED = {"no-dynamic-filter": "filters", "no-residual": "residual"}  # the branch that a variant lacks
_HALF = (torch.bfloat16, torch.float16)


class DRBNet(Pretrained):
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
        variant: ``full``, or the network with a part left out, to measure what the part is worth:
            ``no-dynamic-filter`` or ``no-residual``, the last layer of that branch is 0 and stays so, which is the
            network without the branch; ``single-scale``, one dynamic residual block, applied to the input itself, and
            none at the coarser scales.

    Attributes:
        configuration: these arguments; ``views``, ``width``, ``kernel_size`` and ``scales`` are there by name too.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self, views: int = 1, *, width: int = 32, kernel_size: int = 7, scales: int = 4, variant: str = "full"
    ) -> None:
        super().__init__()
        self.configuration = Configuration(views, width, kernel_size, scales, variant)
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
        restored = sizes[: self.configuration.restored_scales]
        self.restore = nn.ModuleList(DynamicResidual(size, width, kernel_size) for size in restored)
        if variant in SILENCED:
            for block in self.restore:
                last = getattr(block, SILENCED[variant])[-1]
                for parameter in last.parameters():
                    nn.init.zeros_(parameter).requires_grad_(False)

    @property
    def multiple(self) -> int:
        """Pixels that the network pools into one, along each axis."""
        return self.configuration.multiple

    @property
    def receptive_radius(self) -> int:
        """Pixels around one of the result, to each side, that decide it; rounded up to ``multiple``."""
        return receptive_radius(self)

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
        center = reflect_to_multiple(center, self.multiple)
        features = center
        if left is not None and right is not None:
            features = torch.cat([reflect_to_multiple(view, self.multiple) for view in (right, left)], 1)
        features = laid_out(self._rounded(features))

        # A feature is held no longer than it is needed: at the finest scale each is hundreds of MB for a photograph.
        skips: list[Tensor] = []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        skips.pop()
        features = self.bottleneck(features)
        image = F.avg_pool2d(center, 1 << (len(self.restore) - 1))
        del center
        for level in reversed(range(self.scales)):
            if level < len(self.decoder):
                features = self.decoder[level](features, skips.pop())
            if level < len(self.restore) - 1:
                image = F.interpolate(image, scale_factor=2.0, mode="nearest")
            if level < len(self.restore):
                image = self.restore[level](image, features, RANGE if level == 0 else None)
        return cropped(image, height, width)

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
        tensors = published_tensors(state_dict)
        net = cls(views_of(tensors))
        net.load_state_dict(renamed(tensors, net))
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
        set_identity(self)
        return self

    def extra_repr(self) -> str:
        told = f"views={self.views}, width={self.width}, kernel_size={self.kernel_size}, scales={self.scales}"
        variant = self.configuration.variant
        return told if variant == "full" else f"{told}, variant={variant}"

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


def _autocast_enabled(device: str) -> bool:
    return device != "meta" and torch.is_autocast_enabled(device)
