"""One picture of lenslets: pixel ``(y*A + v, x*B + u)`` is pixel ``(y, x)`` of view ``(v, u)``."""

from pathlib import Path

from ..light_field import LightField
from ..readers.eslf import USUAL
from ._layout import SUFFIXES, Layout
from ._pictures import colours_and_alpha, rounded_weights, write_picture


def write(light_field: LightField, path: Path) -> None:
    """A lenslet has as many pixels as there are views; alpha is the weight of a view."""
    values = colours_and_alpha(light_field)
    rows, columns, height, width, channels = values.shape
    write_picture(path, values.transpose(2, 0, 3, 1, 4).reshape(height * rows, width * columns, channels))


def lenslet_of(light_field: LightField) -> str:
    """What the reader has to be told: nothing where it takes the right size by itself."""
    rows, columns = light_field.grid
    sides = [light_field.size[0] * rows, light_field.size[1] * columns]
    seen = next((a for a in USUAL if all(side % a == 0 for side in sides)), USUAL[0])
    if rows == columns:
        return "" if rows == seen else f"--lenslet {rows}"
    return f"in Python, lenslet=({rows}, {columns})"


LAYOUT = Layout(
    "eslf",
    write,
    order=40,
    writes="`SCENE_eslf.png`: pixel `(y*V + t, x*U + s)`; of Lytro's tools V = U = 14",
    format="eslf",
    endings=tuple(f"_eslf{suffix}" for suffix in SUFFIXES),
    transfer="srgb",
    keeps=("weights",),
    light=True,
    losses=rounded_weights,
    hint=lenslet_of,
)
