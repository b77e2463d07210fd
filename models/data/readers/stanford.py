"""Names of the Stanford Light Field Archive: ``out_RR_CC_V_U.png``, camera position in the name."""

import re
from pathlib import Path

import torch

from ..errors import LightFieldError
from ..light_field import LightField
from ..positions import positions_of_cameras
from ._format import FOLDER, Format
from ._picture_grid import add_position, arrange, file_pixels, flip, list_pictures
from .options import ReadOptions

_NAME = re.compile(r"out_(\d+)_(\d+)_(-?\d+(?:\.\d+)?)_(-?\d+(?:\.\d+)?)(_?)")


def fits(path: Path) -> bool:
    return path.is_dir() and any(_NAME.fullmatch(file.stem) for file in path.iterdir())


def read(path: Path, options: ReadOptions) -> LightField:
    """Views ordered by the camera positions in their names, which not all sets number in the same direction.

    Where the cameras stood on no exact grid, ``positions`` tells it.

    The camera's U grows to the right; sets taken row by row in turns (lawn-mower order) number every second row
    backwards, so each row is ordered on its own. Its V grows downwards in the names that end with an underscore and
    upwards in the others. Where a set does not keep to that, ``flip`` turns it.
    """
    if not path.is_dir():
        raise LightFieldError(f"{path}: not a Stanford light field: it is a file, want a folder")
    positions: dict[tuple[int, int], Path] = {}
    cameras: dict[Path, tuple[float, float]] = {}
    downwards = False
    for file in list_pictures(path):
        match = _NAME.fullmatch(file.stem)
        if match is None:
            continue
        add_position(positions, int(match[1]), int(match[2]), file)
        cameras[file] = float(match[3]), float(match[4])
        downwards = match[5] == "_"
    if not positions:
        raise LightFieldError(f"{path}: not a Stanford light field: no picture named like out_00_00_-776.9_533.1.png")
    files = arrange(path, positions)
    v_grows = _mean_v(cameras, files[-1]) >= _mean_v(cameras, files[0])
    if v_grows != downwards and len(files) > 1:
        files = files[::-1]
    backwards = [cameras[row[-1]][1] < cameras[row[0]][1] for row in files]
    files = [row[::-1] if turned else row for row, turned in zip(files, backwards, strict=True)]
    files = flip(files, options.flip)
    places = torch.tensor([[cameras[file] for file in row] for row in files], dtype=torch.float64)
    return LightField.of_lazy_views(
        file_pixels(files),
        positions=positions_of_cameras(places),
        metadata={
            "camera_positions_vu": places.tolist(),
            "order": "lawn-mower" if len(set(backwards)) == 2 else "rows",
        },
    )


def _mean_v(cameras: dict[Path, tuple[float, float]], files: list[Path]) -> float:
    return sum(cameras[file][0] for file in files) / len(files)


FORMAT = Format(
    "stanford",
    read,
    fits,
    order=30,
    kind=FOLDER,
    looks_like="`out_RR_CC_V_U.png`, with or without `_` at the end",
    layout="by camera position in the name",
    values="8 bits",
    found_by="names",
    options=("flip",),
    names_of_all=("rectified",),
)
