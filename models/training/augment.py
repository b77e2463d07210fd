"""Random crops, flips, rotations and noise, all drawn from one generator."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.datasets.picture_pairs import as_float
from ..data.errors import DataError
from .config import AugmentConfig

PICTURES = ("defocused", "sharp", "left", "right")


def augment(item: dict[str, Any], config: AugmentConfig, rng: np.random.Generator) -> dict[str, Tensor]:
    """A random part of a pair, turned and with noise.

    Args:
        item: pictures ``[3, H, W]`` under ``PICTURES``, uint8, uint16, or floating point in [0, 1]; others are dropped.
        config: what to do.
        rng: the same state gives the same result.

    Returns: ``[3, crop, crop]`` float32.

    A mirror image of a scene has what was seen through the left half of the lens in the right half: a horizontal flip
    swaps ``left`` and ``right``, and so does a turn by 180 degrees. A turn by 90 degrees would make them a top and a
    bottom view, which no dual-pixel sensor held level gives, so pairs with views are not turned by 90.

    Raises: DataError: the picture is smaller than the crop.
    """
    pictures = {kind: item[kind] for kind in PICTURES if kind in item}
    height, width = pictures["defocused"].shape[-2:]
    side = config.crop
    if min(height, width) < side:
        raise DataError(f"{item.get('name', 'a pair')}: {width}x{height} pixels, smaller than the crop of {side}")
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    mirror, upset, turn = (bool(rng.integers(2)) for _ in range(3))
    dual = "left" in pictures
    mirrored = config.flip and mirror
    flipped = config.flip and upset
    turned = config.rotate and turn
    out: dict[str, Tensor] = {}
    for kind, picture in pictures.items():
        part = as_float(picture[:, top : top + side, left : left + side])
        axes = [axis for axis, wanted in ((1, flipped), (2, mirrored)) if wanted]
        part = part.flip(axes) if axes else part
        if turned:
            part = part.rot90(2 if dual else 1, (1, 2))
        out[kind] = part.contiguous()
    if dual and mirrored != turned:
        out["left"], out["right"] = out["right"], out["left"]
    if config.noise:
        _add_noise(out, float(rng.uniform(0, config.noise)), rng)
    return out


def _add_noise(pictures: dict[str, Tensor], deviation: float, rng: np.random.Generator) -> None:
    """Gaussian noise on all but the truth; the two halves' noise is independent, the whole picture's their mean."""
    shape = tuple(pictures["defocused"].shape)

    def draw() -> Tensor:
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)) * deviation

    if "left" in pictures:
        sides = draw(), draw()
        noise = {"left": sides[0], "right": sides[1], "defocused": (sides[0] + sides[1]) / 2}
    else:
        noise = {"defocused": draw()}
    for kind, values in noise.items():
        pictures[kind] = (pictures[kind] + values).clamp(0, 1)
