"""Dual-pixel captures of a Pixel 4 with their all-in-focus pictures (Xin et al., ICCV 2021)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from ...io.images import read_image
from ..errors import DataError
from ..transfer import linear_to_srgb
from .picture_files import PictureFiles, check_sizes, pictures_in

BLACK, WHITE = 1024.0, 16383.0
BRIGHT = 0.99  # share of the pixels that are darker than what becomes white
BLOCK = 64  # pixels, more than the defocus spreads
GAIN = "right_gain_div8.npy"


class Pixel4Pairs(Dataset[dict[str, Any]]):
    """``NNN_left.png``, ``NNN_right.png``, ``NNN_gt.png`` of one green channel, and the right view's vignetting gain.

    The defocused picture is the sum of the views, the right one times the gain; the truth, whose exposure differs, is
    brought to its scale by a fitted gain and offset. All are scaled to a common white and sRGB-encoded; items are those
    of ``PicturePairs``, float32, three equal channels, and kept in memory unless ``keep`` is False.

    ``scenes`` picks some by number; none: all.

    Raises: DataError: a file is missing or misshaped.
    """

    def __init__(self, root: str | Path, *, dual: bool = False, keep: bool = True, scenes: Sequence[str] = ()) -> None:
        root = Path(root)
        self.dual, self.keep = dual, keep
        scenes = scenes or _scenes(root)
        self.items = []
        for scene in scenes:
            left, right, truth = (root / f"{scene}_{kind}.png" for kind in ("left", "right", "gt"))
            for path in (left, right, truth, root / GAIN):
                if not path.is_file():
                    raise DataError(f"{path}: no such file")
            self.items.append(PictureFiles(scene, left, truth, left, right))
        check_sizes(self.items)
        self.gain = _gain(root / GAIN)
        self._kept: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index in self._kept:
            return self._kept[index]
        item = self._read(self.items[index])
        if self.keep:
            self._kept[index] = item
        return item

    def _read(self, item: PictureFiles) -> dict[str, Any]:
        files = [path for path in (item.left, item.right, item.sharp) if path is not None]
        left, right, truth = (read_image(path)[0].float() for path in files)
        left, right = ((view - BLACK) / (WHITE - BLACK) for view in (left, right))
        gain = F.interpolate(self.gain[None, None], size=left.shape[-2:], mode="bilinear")[0]
        right = right * gain
        whole = (left + right) / 2
        truth = _fit(truth, whole)
        white = truth.flatten().kthvalue(int(BRIGHT * truth.numel())).values.clamp_min(1e-3)
        pictures = {"defocused": whole, "sharp": truth}
        if self.dual:
            pictures |= {"left": left, "right": right}
        encoded: dict[str, Any] = {
            kind: linear_to_srgb((picture / white).clamp(0, 1)).expand(3, -1, -1) for kind, picture in pictures.items()
        }
        return encoded | {"name": item.name}


def _scenes(root: Path) -> list[str]:
    """All that the folder has one of the three pictures of."""
    found: dict[str, None] = {}
    for path in pictures_in(root):
        scene, _, kind = path.stem.rpartition("_")
        if kind in ("left", "right", "gt"):
            found[scene] = None
    if not found:
        raise DataError(f"{root}: no pictures NNN_left.png")
    return list(found)


def _gain(path: Path) -> Tensor:
    try:
        gain = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a readable array ({error})") from error
    if gain.ndim != 2 or 0 in gain.shape:
        raise DataError(f"{path}: got an array of shape {list(gain.shape)}, want [h, w]")
    return torch.from_numpy(gain).float()


def _fit(picture: Tensor, like: Tensor) -> Tensor:
    """``picture`` with the gain and offset that bring it nearest to ``like``.

    They are fitted to means over blocks: pixel by pixel the sharp picture's detail, which the defocused one has not,
    would make the gain too small and the offset too large, a veil that a network learns.
    """
    side = min(BLOCK, *picture.shape[-2:])
    x, y = (F.avg_pool2d(values.double(), side) for values in (picture, like))
    centred = x - x.mean()
    slope = (centred * (y - y.mean())).sum() / centred.square().sum().clamp_min(1e-12)
    return (slope * (picture.double() - x.mean()) + y.mean()).float()
