"""Contact sheets: labelled pictures in rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..io.atomic import atomic_path
from ..io.errors import OutputError

BACKGROUND, INK, FAINT = (24, 26, 30), (236, 238, 240), (158, 166, 176)
GAP = 16


@dataclass(frozen=True)
class Tile:
    """A picture ``[C, H, W]`` (uint8, or floating point in [0, 1], sRGB-encoded; C = 1 or 3), a label, and a note."""

    picture: Tensor
    label: str
    note: str = ""


def contact_sheet(
    tiles: Sequence[Tile], *, columns: int | None = None, tile_width: int = 560, title: str = ""
) -> Image.Image:
    """Draw tiles in rows, each with its label below.

    Args:
        tiles: at least one; pictures of any size, scaled to one width.
        columns: tiles in a row; None: about as many as rows.
        tile_width: pixels.
        title: a line above all.

    Returns: an RGB picture.
    """
    columns = columns or math.ceil(math.sqrt(len(tiles)))
    size, title_size = max(13, tile_width // 28), max(16, tile_width // 18)
    font, title_font = ImageFont.load_default(size), ImageFont.load_default(title_size)
    line = round(1.35 * size)
    pictures = [_to_pillow(tile.picture, tile_width) for tile in tiles]
    rows = [range(start, min(start + columns, len(tiles))) for start in range(0, len(tiles), columns)]
    notes = 2 if any(tile.note for tile in tiles) else 1
    heights = [max(pictures[i].height for i in row) + notes * line + GAP // 2 for row in rows]
    top = GAP + (round(1.6 * title_size) if title else 0)
    width = min(columns, len(tiles)) * (tile_width + GAP) + GAP
    sheet = Image.new("RGB", (width, top + sum(heights) + GAP * len(rows)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((GAP, GAP // 2), title, INK, title_font)
    for row, height in zip(rows, heights, strict=True):
        for column, index in enumerate(row):
            x = GAP + column * (tile_width + GAP)
            sheet.paste(pictures[index], (x, top))
            below = top + pictures[index].height + GAP // 3
            draw.text((x, below), tiles[index].label, INK, font)
            draw.text((x, below + line), tiles[index].note, FAINT, font)
        top += height + GAP
    return sheet


def thumbnail(picture: Tensor, width: int) -> Tensor:
    """A picture ``[C, H, W]`` in [0, 1] as uint8 of at most ``width`` pixels, to hold many until a sheet is drawn."""
    if picture.shape[2] > width:
        size = max(1, round(picture.shape[1] * width / picture.shape[2])), width
        picture = F.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8)


def write_contact_sheet(path: str | Path, sheet: Image.Image) -> None:
    """Write a sheet as PNG, whole or not at all. Raises OutputError where it cannot be written."""
    with atomic_path(path) as temporary:
        try:
            sheet.save(temporary, format="PNG")
        except ValueError as error:
            raise OutputError(f"cannot write {path}: {error}") from error


def _to_pillow(picture: Tensor, width: int) -> Image.Image:
    if picture.is_floating_point():
        picture = (picture.clamp(0, 1) * 255).round()
    array = picture.to("cpu").expand(3, *picture.shape[1:]).permute(1, 2, 0).numpy().astype("uint8")
    image = Image.fromarray(array)
    height = max(1, round(image.height * width / image.width))
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)
