"""Light fields from one picture and its depth: RGB-D cameras, and stereo pairs with disparity."""

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...io.errors import ImageError
from ...io.images import read_image
from ...io.pfm import read_pfm
from ..light_field import LightField, LightFieldError
from ..transfer import to_linear
from .warp import fill_from_behind, warp_to_light_field

OUTLIERS = 0.005  # share of the pixels at either end whose depth is cut to that of the rest


@dataclass(frozen=True)
class Synthesis:
    """How a light field is made from one picture.

    Attributes:
        views: rows and columns of views, odd.
        spread: disparity between the farthest and the nearest point, pixels per view step; the middle gets 0.
        longest_side: larger pictures are made smaller first, pixels.
    """

    views: int = 9
    spread: float = 3.0
    longest_side: int = 1024

    def __post_init__(self) -> None:
        if self.views < 3 or self.views % 2 == 0:
            raise ValueError(f"synthesis: got {self.views} views, want an odd number >= 3")
        if not (math.isfinite(self.spread) and self.spread > 0):
            raise ValueError(f"synthesis: got a spread of {self.spread}, want a number > 0, in pixels per view step")
        if self.longest_side < 16:
            raise ValueError(f"synthesis: got a longest side of {self.longest_side} pixels, want at least 16")


def light_field_from_rgbd(
    colour: str | Path, depth: str | Path, synthesis: Synthesis | None = None, *, scene: str | None = None
) -> LightField:
    """From a colour picture and its depth along the optical axis.

    Args:
        colour: a picture file.
        depth: of the same size, in any unit: a picture of 8 or 16 bits, PFM, NPY or NPZ; 0, NaN and infinity are
            unknown and filled from behind.
        synthesis: size of the light field.
        scene: its name; None: that of the colour file.

    Returns: views uint16 in linear light, with ``disparity`` (inverse depth, moved and scaled to the spread).

    Raises:
        LightFieldError: unreadable or disagreeing files, or no depth at all.
    """
    values = _read_map(Path(depth))
    known = torch.isfinite(values) & (values > 0)
    inverse = torch.where(known, 1 / values, 0)
    return _light_field(Path(colour), inverse, known, synthesis or Synthesis(), "rgbd", scene)


def light_field_from_stereo(
    left: str | Path, disparity: str | Path, synthesis: Synthesis | None = None, *, scene: str | None = None
) -> LightField:
    """From the left picture of a stereo pair and its disparity (larger is nearer); the rest as from RGB-D.

    Disparity may be in any unit (Middlebury's files store multiples of it) and is scaled to the spread.
    """
    values = _read_map(Path(disparity))
    known = torch.isfinite(values) & (values > 0)
    return _light_field(Path(left), torch.where(known, values, 0), known, synthesis or Synthesis(), "stereo", scene)


def read_linear_picture(path: Path) -> Tensor:
    """A picture in linear light, ``[C, H, W]`` float32. Raises LightFieldError where it cannot be read."""
    try:
        picture, info = read_image(path)
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    if not bool(torch.isfinite(picture.float()).all()):
        raise LightFieldError(f"{path}: holds NaN or infinite values, want light")
    return to_linear(picture, info.transfer)


def shrink(light: Tensor, longest_side: int) -> Tensor:
    """``[C, H, W]`` of no more than ``longest_side`` pixels, averaged in linear light."""
    height, width = light.shape[-2:]
    factor = longest_side / max(height, width)
    if factor >= 1:
        return light
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return F.interpolate(light[None], size, mode="bilinear", antialias=True)[0]


def synthesise(
    light: Tensor, disparity: Tensor, synthesis: Synthesis, *, kind: str, scene: str, source: dict[str, str]
) -> LightField:
    """A light field from linear light ``[C, H, W]`` and disparity ``[H, W]`` in pixels per view step."""
    views = warp_to_light_field(light, disparity, (synthesis.views, synthesis.views))
    return LightField(
        views,
        transfer="linear",
        format=kind,
        scene=scene,
        disparity_range=(float(disparity.min()), float(disparity.max())),
        disparity=disparity,
        metadata=source,
    )


def _light_field(
    colour: Path, nearness: Tensor, known: Tensor, synthesis: Synthesis, kind: str, scene: str | None
) -> LightField:
    light = read_linear_picture(colour)
    if light.shape[-2:] != nearness.shape:
        raise LightFieldError(
            f"{colour}: got {light.shape[2]}x{light.shape[1]} pixels, but its depth has "
            f"{nearness.shape[1]}x{nearness.shape[0]}"
        )
    if not bool(known.any()):
        raise LightFieldError(f"{colour}: its depth is unknown everywhere")
    light = shrink(light, synthesis.longest_side)
    size = light.shape[-2:]
    if size != nearness.shape:  # nearest: a mean of two depths is a third one, where nothing is
        nearness = F.interpolate(nearness[None, None], size, mode="nearest-exact")[0, 0]
        known = F.interpolate(known[None, None].float(), size, mode="nearest-exact")[0, 0] > 0
        if not bool(known.any()):
            raise LightFieldError(f"{colour}: its depth is unknown everywhere")
    filled = fill_from_behind(nearness[None].numpy(), known.numpy(), nearness.numpy())
    nearness = torch.from_numpy(filled[0])
    ordered = nearness.flatten().sort().values
    tail = int(len(ordered) * OUTLIERS)
    low, high = ordered[tail], ordered[len(ordered) - 1 - tail]
    share = (nearness.clamp(low, high) - low) / (high - low).clamp_min(1e-12)
    disparity = (share - 0.5) * synthesis.spread
    source = {"colour": str(colour)}
    return synthesise(light, disparity, synthesis, kind=kind, scene=scene or colour.stem, source=source)


def _read_map(path: Path) -> Tensor:
    """``[H, W]`` float32 from a picture of one channel, PFM, NPY or NPZ (its first array)."""
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        try:
            loaded = np.load(path, allow_pickle=False)
            array = loaded[loaded.files[0]] if suffix == ".npz" else loaded
        except (OSError, ValueError, IndexError, zipfile.BadZipFile) as error:
            raise LightFieldError(f"{path}: cannot be read ({error})") from error
        if array.ndim != 2 or not np.issubdtype(array.dtype, np.number):
            raise LightFieldError(f"{path}: got {array.dtype} of shape {list(array.shape)}, want numbers [H, W]")
        return torch.from_numpy(array.astype(np.float32))
    try:
        if suffix == ".pfm":
            return read_pfm(path)
        picture, _ = read_image(path)
    except ImageError as error:
        raise LightFieldError(str(error)) from error
    if picture.shape[0] != 1 and not bool((picture == picture[:1]).all()):
        raise LightFieldError(f"{path}: a coloured picture, want depth: one channel")
    return torch.from_numpy(picture[0].numpy().astype(np.float32))
