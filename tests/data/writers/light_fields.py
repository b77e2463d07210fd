"""Light fields of noise in memory, with all that can lie beside the views."""

import torch

from lfdeblur_models.data import LAYOUTS, LightField, read_light_field
from lfdeblur_models.data.positions import grid_places

from ..readers.light_field_files import random_views


def noise(v=3, u=2, c=3, h=8, w=4, dtype=torch.uint8, **told):
    if dtype.is_floating_point:
        views = torch.rand((v, u, c, h, w), generator=torch.Generator().manual_seed(1)).to(dtype)
    else:
        views = random_views(v, u, c, h, w, dtype)
    return LightField(views, scene="toy", **told)


def with_everything(**size):
    """Weights are steps of 8 bits, which every layout with weights holds."""
    plain = noise(**size)
    generator = torch.Generator().manual_seed(2)
    weights = torch.randint(0, 256, plain.grid, generator=generator).float() / 255
    weights[0, 0] = 0
    return plain.copy(
        weights=weights,
        disparity=torch.randn(plain.size, generator=generator),
        disparity_range=(-1.1, 2.25),
        positions=grid_places(*plain.grid) + torch.rand((*plain.grid, 2), generator=generator) / 4,
        transfer="linear",
        metadata={"baseline_mm": 1.5, "camera": "toy camera", "positions": [[0, 1.5], [1, 2]], "count": 3},
    )


def place(folder, layout, light_field):
    """The path that ``convert`` would give it."""
    known = LAYOUTS[layout]
    return folder / known.name_of(known, light_field.scene, light_field)


def read_back(path, layout, light_field, **options):
    """With what has to be told of the grid."""
    if layout == "inria":
        options["format"] = "inria"
    if layout in ("mosaic", "power-tools", "sequence"):
        options["grid"] = light_field.grid
    if layout == "eslf":
        options["lenslet"] = light_field.grid
    return read_light_field(path, **options)
