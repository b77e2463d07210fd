"""Pictures on disk as a data set of training pairs."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ...io.images import read_encoded
from .picture_files import PictureFiles

LEVELS = {torch.uint8: 255.0, torch.uint16: 65535.0}


class PicturePairs(Dataset[dict[str, Any]]):
    """The items of ``find_pictures``: dicts as those of ``LightFieldPairs``, of whole pictures.

    Args:
        items: which files belong together.
        cache: decoded pictures kept in memory, the least recently used one let go; 8-bit ones take 3 bytes per pixel.

    ``pairs[index]`` has ``defocused`` and, where the set has them, ``sharp``, ``left`` and ``right``: ``[3, H, W]``
    uint8 or uint16 as stored (see ``as_float``), of linear light float32, encoded; alpha dropped, grey in three equal
    channels; and ``name``.
    """

    def __init__(self, items: Sequence[PictureFiles], *, cache: int = 0) -> None:
        self.items = list(items)
        self.cache = cache
        self._kept: OrderedDict[Path, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = self.items[index]
        files = {"defocused": item.defocused, "sharp": item.sharp, "left": item.left, "right": item.right}
        pictures: dict[str, Any] = {kind: self._read(path) for kind, path in files.items() if path is not None}
        return pictures | {"name": item.name}

    def _read(self, path: Path) -> Tensor:
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        picture = read_encoded(path)[0].expand(3, -1, -1)
        if self.cache:
            self._kept[path] = picture
            while len(self._kept) > self.cache:
                self._kept.popitem(last=False)
        return picture


def as_float(picture: Tensor) -> Tensor:
    """uint8 and uint16 to float32 in [0, 1]; floating point as it is."""
    return picture if picture.is_floating_point() else picture.float() / LEVELS[picture.dtype]
