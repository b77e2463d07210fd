"""One picture of all views side by side."""

from pathlib import Path

from ..light_field import LightField
from ._layout import SUFFIXES, Layout
from ._pictures import colours_and_alpha, rounded_weights, write_picture


def write(light_field: LightField, path: Path) -> None:
    """Rows of views from the top, columns from the left; alpha is the weight of a view."""
    values = colours_and_alpha(light_field)
    rows, columns, height, width, channels = values.shape
    write_picture(path, values.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels))


def grid_of(light_field: LightField) -> str:
    rows, columns = light_field.grid
    return f"--grid {rows}x{columns}"


LAYOUT = Layout(
    "mosaic",
    write,
    order=30,
    writes="`SCENE_mosaic.png`: view `(t, s)` at `(t*H, s*W)`",
    format="mosaic",
    endings=tuple(f"_mosaic{suffix}" for suffix in SUFFIXES),
    transfer="srgb",
    keeps=("weights",),
    light=True,
    losses=rounded_weights,
    hint=grid_of,
)
