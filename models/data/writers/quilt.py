"""Quilts of the Looking Glass displays: one row of views as tiles, counted from the bottom left."""

import math
from collections.abc import Iterator
from pathlib import Path

from ..light_field import LightField
from ._layout import Layout
from ._pictures import plain_views, write_picture


def write(light_field: LightField, path: Path) -> None:
    """The middle row of views: such a display has parallax from left to right alone."""
    views = plain_views(light_field)[light_field.grid[0] // 2]
    columns, rows = tiles_of(light_field)
    _, height, width, channels = views.shape
    tiles = views.reshape(rows, columns, height, width, channels)[::-1]
    write_picture(path, tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels))


def tiles_of(light_field: LightField) -> tuple[int, int]:
    """Columns and rows of tiles: as many as views, the picture as square as that lets."""
    count = light_field.grid[1]
    height, width = light_field.size
    fitting = [(count // rows, rows) for rows in range(1, count + 1) if count % rows == 0]
    return min(fitting, key=lambda tiles: abs(math.log(tiles[0] * width / (tiles[1] * height))))


def ending_of(light_field: LightField) -> str:
    columns, rows = tiles_of(light_field)
    height, width = light_field.size
    return f"_qs{columns}x{rows}a{_decimal(width / height)}.png"


def _decimal(aspect: float) -> str:
    """Without an exponent, which no reader of such names takes."""
    return f"{aspect:.4f}".rstrip("0").rstrip(".")


def losses(light_field: LightField) -> Iterator[str]:
    rows = light_field.grid[0]
    if rows > 1:
        yield f"quilt holds one row of views: row {rows // 2} of 0 to {rows - 1} is kept"


LAYOUT = Layout(
    "quilt",
    write,
    order=100,
    writes="`SCENE_qs5x9a0.75.png`: the middle row of views as tiles, from the bottom left",
    format="quilt",
    transfer="srgb",
    losses=losses,
    ending_of=ending_of,
    named_by_scene=False,
)
