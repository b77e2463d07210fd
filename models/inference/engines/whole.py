"""The packed layers on whole pictures, without a question about their size: what ``torch.export`` traces."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...networks.blocks import RANGE, cropped, laid_out, reflect_to_multiple
from .cpu_bands import RestoreLayers, RowEngine


def whole_pictures(engine: RowEngine, center: Tensor, left: Tensor | None, right: Tensor | None) -> Tensor:
    """What the engine computes band by band of rows, with its weights: all rows and all pictures at once."""
    height, width = center.shape[2:]
    padded = reflect_to_multiple(center, engine.multiple)
    seen = padded
    if left is not None and right is not None:
        seen = torch.cat([reflect_to_multiple(view, engine.multiple) for view in (right, left)], 1)
    image = F.avg_pool2d(padded.to(engine.image_dtype), engine.multiple)
    features = laid_out(seen.to(engine.dtype))
    skips: list[Tensor] = []
    for stage in engine.encoder:
        for layer in stage:
            features = layer(features)
        skips.append(features)
    for level in reversed(range(len(engine.restore))):
        skip = skips.pop()
        if level < len(engine.decoder):
            image = F.interpolate(image, scale_factor=2.0, mode="nearest")
            up, blocks = engine.decoder[level]
            features = up(features, residual=skip)
        else:
            features, blocks = skip, engine.bottleneck
        for block in blocks:
            features = _run(block, features)
        image = _restored(engine.restore[level], features, image, RANGE if level == 0 else ())
    return cropped(image, height, width)


def _run(block: Any, x: Tensor) -> Tensor:
    """A convolution, or the two of a residual block."""
    if not isinstance(block, tuple):
        return block(x)
    first, second = block
    return second(first(x), residual=x)


def _restored(layers: RestoreLayers, features: Tensor, image: Tensor, clip: tuple[float, ...]) -> Tensor:
    of_image = laid_out(image.to(features.dtype))
    for layer in layers.image:
        of_image = layer(of_image)
    both = layers.both(features, x2=of_image)
    for_filters, for_residual = layers.filters(both[:, : layers.wide]), layers.residual(both[:, layers.wide :])
    return layers.head(for_filters, for_residual, image, 0, *clip)
