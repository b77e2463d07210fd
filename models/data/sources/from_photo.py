"""Light fields from a plain sharp photograph: layers at random depths, for augmentation."""

import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..light_field import LightField
from .from_depth import Synthesis, read_linear_picture, shrink, synthesise

LAYERS = (2, 6)  # at least, and fewer than
BLOBS = (3, 9)  # cells of noise along the longer side: how large a layer's patches are


def random_layers(height: int, width: int, spread: float, rng: np.random.Generator) -> Tensor:
    """A disparity map of fronto-parallel layers with smooth random outlines over a tilted ground.

    Args:
        height, width: pixels.
        spread: from the farthest to the nearest, pixels per view step.
        rng: the same state gives the same map.

    Returns: ``[H, W]`` float32 within ``-spread/2 .. spread/2``.
    """
    count = int(rng.integers(*LAYERS))
    depths = np.sort(rng.uniform(-0.5, 0.5, count)) * spread
    slope = np.linspace(0, rng.uniform(0, 0.3) * spread, height, dtype=np.float32)[:, None]  # nearer at the bottom
    disparity = np.minimum(-spread / 2 + slope + np.zeros((height, width), np.float32), spread / 2)
    for depth in depths:
        cells = int(rng.integers(*BLOBS))
        scale = max(height, width) / cells
        coarse = rng.standard_normal((int(height / scale) + 4, int(width / scale) + 4)).astype(np.float32)
        smooth = F.interpolate(torch.from_numpy(coarse)[None, None], size=(height, width), mode="bicubic")[0, 0]
        covered = smooth.numpy() > rng.uniform(0.2, 0.9)
        disparity = np.where(covered & (depth > disparity), np.float32(depth), disparity)
    return torch.from_numpy(np.ascontiguousarray(disparity))


def light_field_from_photo(path: str | Path, synthesis: Synthesis | None = None, *, seed: int = 0) -> LightField:
    """From a photograph that is sharp everywhere; its depth is made up from ``seed`` and the file's name.

    Returns: views uint16 in linear light, with ``disparity``. Raises LightFieldError where the file cannot be read.
    """
    path, synthesis = Path(path), synthesis or Synthesis()
    light = shrink(read_linear_picture(path), synthesis.longest_side)
    rng = np.random.default_rng([seed, zlib.crc32(path.stem.encode())])
    disparity = random_layers(light.shape[1], light.shape[2], synthesis.spread, rng)
    return synthesise(light, disparity, synthesis, kind="photo", scene=path.stem, source={"photo": str(path)})
