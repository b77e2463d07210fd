"""A small light field of noise in a folder: whatever is read must be what was written."""

import torch

from lfdeblur_models.io.images import write_image


def make_light_field(folder, v=3, u=3, c=3, dtype=torch.uint8, seed=0):
    """``v x u`` views of 10x12 pixels as PNG; gives the folder."""
    folder.mkdir(parents=True)
    high = 256 if dtype == torch.uint8 else 65536
    generator = torch.Generator().manual_seed(seed)
    views = torch.randint(0, high, (v, u, c, 12, 10), generator=generator, dtype=torch.int32).to(dtype)
    for row in range(v):
        for column in range(u):
            write_image(folder / f"view_r{row:02d}_c{column:02d}.png", views[row, column])
    return folder
