"""The layout of the 4D Light Field Benchmark (Honauer et al., ACCV 2016): ``input_Cam000.png`` and so on."""

import configparser
import math
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...io.errors import ImageError
from ...io.pfm import read_pfm
from ..errors import LightFieldError
from ..light_field import LightField
from ._format import FOLDER, Format
from ._picture_grid import file_pixels, list_pictures
from .options import ReadOptions

_NAME = re.compile(r"input_Cam(\d+)")
_PARAMETERS = "parameters.cfg"
_DISPARITY = "gt_disp_lowres.pfm"


def fits(path: Path) -> bool:
    return path.is_dir() and any(_NAME.fullmatch(file.stem) for file in path.iterdir())


def read(path: Path, options: ReadOptions) -> LightField:
    """Row-major views, first row at the top. Without ``parameters.cfg`` the grid is taken to be square."""
    if not path.is_dir():
        raise LightFieldError(f"{path}: not an HCI light field: it is a file, want a folder")
    found: dict[int, Path] = {}
    for file in list_pictures(path):
        if (match := _NAME.fullmatch(file.stem)) is not None:
            if int(match[1]) in found:
                raise LightFieldError(f"{path}: two files for one view: {found[int(match[1])].name} and {file.name}")
            found[int(match[1])] = file
    if not found:
        raise LightFieldError(f"{path}: not an HCI light field: no picture named input_Cam000, input_Cam001, ...")
    metadata = _read_parameters(path / _PARAMETERS)
    rows, columns = _grid(path, metadata, 1 + max(found))
    missing = [index for index in range(rows * columns) if index not in found]
    if missing:
        row, column = divmod(missing[0], columns)
        raise LightFieldError(
            f"{path}: a gap in the grid of {rows}x{columns} views: no input_Cam{missing[0]:03d} "
            f"(row {row} column {column}); {len(missing)} of {rows * columns} views are missing"
        )
    files = [[found[row * columns + column] for column in range(columns)] for row in range(rows)]
    disparity = _read_disparity(path / _DISPARITY)
    pixels = file_pixels(files)
    if disparity is not None and disparity.shape != pixels.shape[-2:]:
        raise LightFieldError(
            f"{path / _DISPARITY}: got size {list(disparity.shape)}, want {list(pixels.shape[-2:])} as the views"
        )
    return LightField.of_lazy_views(
        pixels,
        disparity_range=_disparity_range(metadata, disparity),
        disparity=disparity,
        metadata=metadata,
    )


def _grid(path: Path, metadata: dict[str, Any], count: int) -> tuple[int, int]:
    rows, columns = metadata.get("num_cams_y"), metadata.get("num_cams_x")
    if isinstance(rows, int) and isinstance(columns, int):
        if rows < 1 or columns < 1 or rows * columns < count:
            raise LightFieldError(
                f"{path}: got views up to input_Cam{count - 1:03d}, want {rows}x{columns} as {_PARAMETERS} says"
            )
        return rows, columns
    side = math.isqrt(count)
    if side * side != count:
        raise LightFieldError(
            f"{path}: got views up to input_Cam{count - 1:03d}: {count} is not a square number "
            f"and no {_PARAMETERS} tells the grid"
        )
    return side, side


def _read_parameters(path: Path) -> dict[str, Any]:
    """All values of ``parameters.cfg`` in one dict, numbers as int or float; empty where there is no such file."""
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise LightFieldError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
    values: dict[str, Any] = {}
    for section in parser.sections():
        for key, text in parser.items(section):
            values[key] = _number(text)
    return values


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _read_disparity(path: Path) -> Tensor | None:
    try:
        return read_pfm(path) if path.is_file() else None
    except ImageError as error:
        raise LightFieldError(str(error)) from error


def _disparity_range(metadata: dict[str, Any], disparity: Tensor | None) -> tuple[float, float] | None:
    low, high = metadata.get("disp_min"), metadata.get("disp_max")
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low <= high:
        return float(low), float(high)
    if disparity is None:
        return None
    finite = disparity[torch.isfinite(disparity)]
    return (float(finite.min()), float(finite.max())) if finite.numel() else None


FORMAT = Format(
    "hci",
    read,
    fits,
    order=10,
    kind=FOLDER,
    looks_like="`input_Cam000.png` ... `080`, `parameters.cfg`, `gt_disp_lowres.pfm`",
    layout="`index = t * columns + s`, from the top left",
    values="8 bits",
    found_by="names",
)
