"""NumPy's ``.npz``, not compressed: the reader maps it into memory."""

from pathlib import Path

import numpy as np

from ..light_field import LightField
from ._arrays import companions, metadata_losses
from ._layout import KEPT, Layout


def write(light_field: LightField, path: Path) -> None:
    np.savez(path, views=light_field.views.cpu().numpy(), **companions(light_field))


LAYOUT = Layout(
    "npz",
    write,
    order=60,
    writes="`SCENE.npz`: `views[V, U, C, H, W]` and an array for each of the others",
    format="npz",
    endings=(".npz",),
    keeps=KEPT,
    floats=True,
    losses=metadata_losses,
)
