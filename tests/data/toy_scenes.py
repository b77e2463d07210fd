"""Small light fields that tests of the generator share."""

import torch

from lfdeblur_models.data import Aperture, LightField, Recipe
from lfdeblur_models.io.images import write_image

SMALL = Recipe(apertures=(Aperture("disk", 1),), disparities=(-1.0, 1.0))
HIDDEN = ".lfdeblur/"  # what the generator keeps for itself in its folder


def plane(disparity, v=5, u=5, h=24, w=20, dtype=torch.uint8, seed=1):
    """A light field of one textured plane: whole-pixel disparity, so every view is an exact shift."""
    levels = 255 if dtype == torch.uint8 else 65535
    margin = 2 * abs(disparity) + 1
    generator = torch.Generator().manual_seed(seed)
    texture = torch.randint(0, levels + 1, (3, h + 2 * margin, w + 2 * margin), generator=generator)
    views = torch.empty((v, u, 3, h, w), dtype=torch.int32)
    for row in range(v):
        for column in range(u):
            y = margin + disparity * (row - v // 2)
            x = margin + disparity * (column - u // 2)
            views[row, column] = texture[:, y : y + h, x : x + w]
    return LightField(views.to(dtype), scene="plane", disparity_range=(-1.0, 1.0))


def write_scene(folder, light_field):
    """As a grid of PNG files that ``read_light_field`` finds."""
    folder.mkdir(parents=True)
    for row, views in enumerate(light_field.views):
        for column, view in enumerate(views):
            write_image(folder / f"view_{row:02d}_{column:02d}.png", view)
    return folder


def write_scenes(folder, count, **size):
    """Scenes ``scene0``, ``scene1``, ... below a folder."""
    for i in range(count):
        write_scene(folder / f"scene{i}", plane(1, seed=i, **({"v": 3, "u": 3} | size)))
    return folder


def tree(folder):
    """Every file below a folder, with its bytes."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def seen(folder):
    """The files a user sees, as ``tree`` gives them."""
    return {name: data for name, data in tree(folder).items() if not name.startswith(HIDDEN)}
