"""DRBNet written out directly from its formulas, in plain PyTorch, under the published checkpoints' names.

What tests hold the network against, and what benchmarks time it against: slow, and nothing of ours in it.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def random_weights(shapes: Mapping[str, Sequence[int]], seed: int = 0) -> dict[str, Tensor]:
    """Random tensors of the published names and shapes, large enough that every branch counts in the output."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        fan_in = torch.Size(shape[1:]).numel() if len(shape) == 4 else 100
        if len(shape) == 4 and shape[-1] == 4:  # transposed, stride 2: a quarter of the taps meet each pixel
            fan_in = shape[0] * 4
        gain = 0.03 if "kernel.2" in name else 0.2 if "res.2" in name else 1.0
        weights[name] = torch.randn(tuple(shape), generator=generator) * gain / fan_in**0.5
    return weights


def unfold_fac(x: Tensor, filters: Tensor, kernel_size: int) -> Tensor:
    """FAC as DRBNet's authors formulate it: all neighbourhoods side by side, times the repeated kernels."""
    n, channels, height, width = x.shape
    padded = F.pad(x, (kernel_size // 2,) * 4, mode="replicate")
    patches = padded.unfold(2, kernel_size, 1).unfold(3, kernel_size, 1)
    patches = patches.permute(0, 2, 3, 1, 4, 5).contiguous().view(n, height, width, channels, kernel_size**2)
    kernels = torch.cat([filters.permute(0, 2, 3, 1)] * channels, -1).view(patches.shape)
    return (patches * kernels).sum(-1).permute(0, 3, 1, 2).contiguous()


def unfold_filter(x: Tensor, kernels: Tensor) -> Tensor:
    """Per-pixel 7 x 7 kernels shared by the channels, over all pixels unfolded."""
    n, channels, height, width = x.shape
    patches = F.unfold(F.pad(x, (3, 3, 3, 3), mode="replicate"), 7).view(n, channels, 49, height, width)
    return (patches * kernels[:, None]).sum(2)


def area(image: Tensor, factor: float) -> Tensor:
    """Another size by the mean over areas, as the published network has it."""
    return F.interpolate(image, scale_factor=factor, mode="area")


def straightforward(
    w: Mapping[str, Tensor],
    center: Tensor,
    left: Tensor | None = None,
    right: Tensor | None = None,
    *,
    dynamic_filter: Callable[[Tensor, Tensor], Tensor] = unfold_filter,
    resize: Callable[[Tensor, float], Tensor] = area,
) -> Tensor:
    """The network from tensors under the published names: one line per layer group."""

    def conv(x: Tensor, name: str, stride: int = 1, act: bool = True, padding: int = 1) -> Tensor:
        x = F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride=stride, padding=padding)
        return F.leaky_relu(x, 0.1) if act else x

    def block(x: Tensor, name: str) -> Tensor:
        return x + conv(conv(x, f"{name}.stem.0.0"), f"{name}.stem.0.2", act=False)

    x = center if left is None or right is None else torch.cat([right, left], 1)
    levels = []
    for level in (1, 2, 3, 4):
        x = conv(x, f"conv{level}_1.0", stride=1 if level == 1 else 2)
        x = conv(conv(x, f"conv{level}_2.0"), f"conv{level}_3.0")
        levels.append(x)
    x = conv(block(block(conv(x, "conv4_4.0.0"), "conv4_4.1"), "conv4_4.2"), "conv4_4.3.0")

    image = resize(center, 1 / 8)
    for head, scale in ((3, 8), (2, 4), (1, 2), (0, 1)):
        if head < 3:
            up = f"upconv{head + 1}"
            x = F.conv_transpose2d(x, w[f"{up}_u.0.weight"], w[f"{up}_u.0.bias"], stride=2, padding=1)
            x = block(block(F.leaky_relu(x, 0.1) + levels[head], f"{up}_1"), f"{up}_2")
            image = resize(image, 2)
        feature = image
        for i in range(3):
            feature = conv(feature, f"img_d{scale}_feature.{i}.0")
        joint = torch.cat([x, feature], 1)
        kernels = conv(conv(joint, f"upconv{head}_kernel.0.0"), f"upconv{head}_kernel.1.0")
        kernels = conv(kernels, f"upconv{head}_kernel.2", act=False, padding=0)
        residual = conv(conv(joint, f"upconv{head}_res.0.0"), f"upconv{head}_res.1.0")
        residual = conv(residual, f"upconv{head}_res.2.0", padding=0)
        image = image + dynamic_filter(image, kernels) + residual
    return image.clip(-1, 1)
