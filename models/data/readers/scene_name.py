"""What a scene is called, by its folder or file."""

import os
from pathlib import Path

_ENDS = (".zarr", "__Decoded", "_eslf", ".eslf")
_IN_EVERY_SCENE = ("rectified", "lf")  # the Stanford archive's folders, the first HCI benchmark's files


def scene_name(path: Path) -> str:
    """``IMG_0001`` of ``IMG_0001_eslf.png`` and ``IMG_0001__Decoded.mat``; the folder above's where all are alike."""
    path = Path(os.path.abspath(path))  # not resolved: the name of a link is the one that was chosen
    name = path.name if path.is_dir() else path.stem
    for end in _ENDS:
        name = name.removesuffix(end)
    return path.parent.name if name.lower() in _IN_EVERY_SCENE and path.parent.name else name
