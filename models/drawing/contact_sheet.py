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
from .colour_map import legend

BACKGROUND, INK, FAINT = (24, 26, 30), (236, 238, 240), (158, 166, 176)
GAP = 16
_LEADING = 1.35  # from line to line, in sizes of the font
_PIXELS_SHOW = 3  # times that a picture is enlarged from which on its pixels are seen as squares


@dataclass(frozen=True)
class Scale:
    """What the colours of ``colour_map.coloured`` stand for: its ends, their unit, and a note."""

    low: float
    high: float
    unit: str
    note: str = ""


@dataclass(frozen=True)
class Tile:
    """A picture and what is said of it.

    Attributes:
        picture: ``[C, H, W]`` uint8, or floating point in [0, 1], sRGB-encoded; C = 1 or 3.
        label, note: below it, as many lines as they take.
        scale: of a picture that was drawn in colours: a legend stands below it.
    """

    picture: Tensor
    label: str
    note: str = ""
    scale: Scale | None = None


@dataclass(frozen=True)
class Row:
    """Tiles that belong together, under a heading; more than a sheet has columns go on in the next line."""

    tiles: Sequence[Tile]
    heading: str = ""


def disparity_label(disparity: float) -> str:
    """``d = +0.53 px/view``."""
    return f"d = {round(disparity, 2) + 0.0:+.2f} px/view"


def contact_sheet(
    tiles: Sequence[Tile] | Sequence[Row], *, columns: int | None = None, tile_width: int = 560, title: str = ""
) -> Image.Image:
    """Draw tiles in rows, each with its label below. Texts are wrapped, never cut.

    Args:
        tiles: at least one; pictures of any size, scaled to one width. Or rows of them, each of which starts anew.
        columns: tiles in a line; None: about as many as lines, of rows as many as the longest has.
        tile_width: pixels.
        title: above all.

    Returns: an RGB picture.
    """
    rows = [one if isinstance(one, Row) else Row([one]) for one in tiles]
    if not any(isinstance(one, Row) for one in tiles):
        rows = [Row([tile for row in rows for tile in row.tiles])]
        columns = columns or math.ceil(math.sqrt(len(tiles)))
    most = max(len(row.tiles) for row in rows)
    columns = min(columns or most, most)
    size, title_size = max(13, tile_width // 28), max(20, tile_width // 18)
    small, large = _Text(size), _Text(title_size)
    width = columns * (tile_width + GAP) + GAP
    parts = [(large.drawn(title, INK, width - 2 * GAP), GAP // 2)] if title else []  # each with the gap below it
    for row in rows:
        if row.heading:
            parts.append((_Text(round(1.2 * size)).drawn(row.heading, INK, width - 2 * GAP), GAP // 3))
        for start in range(0, len(row.tiles), columns):
            drawn = [_drawn(tile, tile_width, small) for tile in row.tiles[start : start + columns]]
            line = Image.new("RGB", (width - 2 * GAP, max(one.height for one in drawn)), BACKGROUND)
            for column, one in enumerate(drawn):
                line.paste(one, (column * (tile_width + GAP), 0))
            parts.append((line, GAP))
    sheet = Image.new("RGB", (width, GAP + sum(part.height + gap for part, gap in parts)), BACKGROUND)
    top = GAP
    for part, gap in parts:
        sheet.paste(part, (GAP, top))
        top += part.height + gap
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


class _Text:
    """Lines of text of one size."""

    def __init__(self, size: int) -> None:
        self.font = ImageFont.load_default(size)
        self.line = round(_LEADING * size)

    def wrapped(self, text: str, width: int) -> list[str]:
        """At least one line; a word that is too long for one is broken."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if self.font.getlength(longer) <= width:
                lines[-1] = longer
                continue
            if lines[-1]:
                lines.append("")
            while self.font.getlength(word) > width and len(word) > 1:
                fitting = next((n for n in range(len(word) - 1, 1, -1) if self.font.getlength(word[:n]) <= width), 1)
                lines[-1:] = [word[:fitting], ""]
                word = word[fitting:]
            lines[-1] = word
        return lines

    def drawn(self, text: str, colour: tuple[int, int, int], width: int) -> Image.Image:
        lines = self.wrapped(text, width)
        picture = Image.new("RGB", (width, self.line * len(lines)), BACKGROUND)
        draw = ImageDraw.Draw(picture)
        for index, line in enumerate(lines):
            draw.text((0, index * self.line), line, colour, self.font)
        return picture


def _drawn(tile: Tile, width: int, text: _Text) -> Image.Image:
    """A tile with all that stands below it."""
    parts = [_to_pillow(tile.picture, width)]
    if tile.scale is not None:
        parts.append(legend(width, tile.scale.low, tile.scale.high, tile.scale.unit, tile.scale.note))
    texts = [text.drawn(tile.label, INK, width)] + ([text.drawn(tile.note, FAINT, width)] if tile.note else [])
    above = sum(part.height for part in parts) + GAP // 3
    whole = Image.new("RGB", (width, above + sum(part.height for part in texts)), BACKGROUND)
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    top = above
    for part in texts:
        whole.paste(part, (0, top))
        top += part.height
    return whole


def _to_pillow(picture: Tensor, width: int) -> Image.Image:
    if picture.is_floating_point():
        picture = (picture.clamp(0, 1) * 255).round()
    array = picture.to("cpu").expand(3, *picture.shape[1:]).permute(1, 2, 0).numpy().astype("uint8")
    image = Image.fromarray(array)
    height = max(1, round(image.height * width / image.width))
    if image.size == (width, height):
        return image
    large = width >= _PIXELS_SHOW * image.width
    return image.resize((width, height), Image.Resampling.NEAREST if large else Image.Resampling.LANCZOS)
