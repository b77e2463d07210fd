"""Contact sheet of an evaluation: input, output, truth, and where they differ."""

import torch
from torch import Tensor

from ..drawing.contact_sheet import Tile, thumbnail
from .metrics import psnr
from .picture_sets import Scene

WIDTH = 360  # pixels of a picture on the sheet
PICTURES = 12  # rows of it, at most
WHITE = 0.25  # mean absolute error that is drawn white


def shown_pictures(count: int) -> list[int]:
    """Which of so many pictures are on the sheet: all of few, else evenly spaced ones."""
    shown = min(count, PICTURES)
    return [index * count // shown for index in range(shown)]


def tiles_of(name: str, scene: Scene, restored: Tensor) -> list[Tile]:
    """A picture's tiles: input and output, and with a truth also that and two error maps."""
    if scene.sharp is None:
        return [_tile(scene.defocused, name, "input"), _tile(restored, name, "output")]
    tiles, maps = [], []
    for which, picture in (("input", scene.defocused), ("output", restored)):
        decibels = float(psnr(picture[None], scene.sharp[None]))
        tiles.append(_tile(picture, name, f"{which}, {decibels:.2f} dB"))
        maps.append(
            _tile(error_map(picture, scene.sharp), f"error of the {which}", f"white: {WHITE:g} and more of full scale")
        )
    return [*tiles, _tile(scene.sharp, name, "truth"), *maps]


def error_map(picture: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the channels: black where there is none, over red and yellow to white.

    Args: picture, truth: ``[C, H, W]`` in [0, 1].
    Returns: ``[3, H, W]`` in [0, 1].
    """
    error = (picture - truth).abs().mean(0) / WHITE
    return torch.stack([3 * error, 3 * error - 1, 3 * error - 2]).clamp(0, 1)


def _tile(picture: Tensor, label: str, note: str) -> Tile:
    return Tile(thumbnail(picture, WIDTH), label, note)
