"""BasicLFSR's ``.h5`` files: mosaics of luma, transposed, at full resolution and at a quarter of it."""

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..light_field import LightField
from ..transfer import linear_to_srgb
from ._hdf5 import created
from ._layout import Layout

SCALE = 4  # of super-resolution: what most of its experiments are of
_WEIGHTS, _OFFSET = (65.481, 128.553, 24.966), 16  # ITU-R BT.601, as MATLAB's rgb2ycbcr, in steps of 1/255
_IS_LUMA = "Y of YCbCr"  # how the reader tells it


def write(light_field: LightField, path: Path) -> None:
    """``Hr_SAI_y`` and, where the size can be divided by 4, ``Lr_SAI_y``, made smaller by bicubic averages."""
    luma = _luma(light_field)
    with created(path) as file:
        file.create_dataset("Hr_SAI_y", data=_mosaic(luma).numpy())
        if _divides(light_field):
            small = F.interpolate(
                luma.flatten(0, 1), scale_factor=(1 / SCALE, 1 / SCALE), mode="bicubic", antialias=True
            )
            file.create_dataset("Lr_SAI_y", data=_mosaic(small.unflatten(0, luma.shape[:2])).numpy())


def _mosaic(luma: Tensor) -> Tensor:
    """``[V, U, 1, H, W]`` as ``[U*W, V*H]``."""
    rows, columns, _, height, width = luma.shape
    return luma[:, :, 0].permute(1, 3, 0, 2).reshape(columns * width, rows * height).contiguous()


def _luma(light_field: LightField) -> Tensor:
    views = light_field.views.cpu()
    if _holds_luma(light_field):
        return views.float()
    values = views.float() / {torch.uint8: 255, torch.uint16: 65535}.get(views.dtype, 1)
    if light_field.transfer == "linear":
        values = linear_to_srgb(values.clamp(0, 1))
    if values.shape[2] == 1:
        values = values.expand(-1, -1, 3, -1, -1)
    mixed = torch.einsum("c,vuchw->vuhw", torch.tensor(_WEIGHTS), values)
    return ((mixed + _OFFSET) / 255)[:, :, None]


def _holds_luma(light_field: LightField) -> bool:
    """Whether the values are luma already, as they are where the light field was read from such a file."""
    told = str(light_field.metadata.get("channel", "")).startswith(_IS_LUMA)
    return told and light_field.shape[2] == 1 and light_field.dtype.is_floating_point


def _divides(light_field: LightField) -> bool:
    return all(length % SCALE == 0 for length in light_field.size)


def losses(light_field: LightField) -> Iterator[str]:
    if not _holds_luma(light_field):
        what = "colours: luma" if light_field.shape[2] == 3 else "grey: luma from 16/255 to 235/255"
        yield f"basic-lfsr holds no {what} is written, as float32"
    if not _divides(light_field):
        height, width = light_field.size
        yield (
            f"basic-lfsr trains on Lr_SAI_y, {SCALE} times smaller, which is left out: {SCALE} does not divide "
            f"{height}x{width} pixels"
        )


def name_of(layout: Layout, scene: str, light_field: LightField) -> str:
    rows, columns = light_field.grid
    return f"SR_{rows}x{columns}_{SCALE}x/{scene}.h5"


def hint(light_field: LightField) -> str:
    rows, columns = light_field.grid
    return f"--grid {rows}x{columns}, where it does not lie in a folder SR_{rows}x{columns}_{SCALE}x"


LAYOUT = Layout(
    "basic-lfsr",
    write,
    order=90,
    writes="`SR_9x9_4x/SCENE.h5`: `Hr_SAI_y`, `Lr_SAI_y`, transposed mosaics of luma",
    format="basic-lfsr",
    endings=(".h5", ".hdf5"),
    floats=True,
    transfer="srgb",
    encodes=True,
    values="float32 luma",
    losses=losses,
    hint=hint,
    name_of=name_of,
    named_by_scene=False,
    needs=("h5py",),
)
