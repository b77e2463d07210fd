"""WebDataset shards as a data set that can be asked for any pair.

The package webdataset reads shards as streams, which cannot be resumed at an exact pair. The shards' headers tell where
each member lies, so pairs are read by position here, and the order is the sampler's business as with every other set.
"""

import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyvips
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import DataError

TRUTHS = ("sharp", "truth")
_HEADER = 1 << 16  # bytes that hold a picture's header, with rare exceptions
KINDS = ("defocused", "sharp", "left", "right")


class Member(NamedTuple):
    """Where the bytes of a file lie."""

    shard: Path
    offset: int
    size: int


class ShardPairs(Dataset[dict[str, Any]]):
    """Pairs in tar files ``KEY.defocused.png``, ``KEY.truth.png`` (or ``KEY.sharp.png``), with ``dual`` also
    ``KEY.left.png`` and ``KEY.right.png``, as ``lfdeblur generate`` writes them.

    Args:
        root: a folder of ``*.tar`` files, or one such file.
        dual: the left and right views are wanted.

    Items are those of ``PicturePairs``.

    Raises:
        DataError: no shards, a damaged one, or a pair without one of its pictures, which is named.
    """

    def __init__(self, root: str | Path, *, dual: bool = False) -> None:
        root = Path(root)
        shards = [root] if root.is_file() else sorted(root.glob("*.tar"))
        if not shards:
            raise DataError(f"{root}: no shards *.tar")
        wanted = KINDS if dual else KINDS[:2]
        self.pairs: list[tuple[str, dict[str, Member]]] = []
        for shard in shards:
            for key, members in _index(shard).items():
                missing = [kind for kind in wanted if kind not in members]
                if missing:
                    raise DataError(f"{shard}: the pair {key} has no picture {missing[0]!r}")
                self.pairs.append((key, {kind: members[kind] for kind in wanted}))
        if not self.pairs:
            raise DataError(f"{root}: no pairs in the shards")

    def check(self, crop: int | None = None) -> None:
        """Look at all pictures' headers.

        Raises: DataError: one that is no picture, is not of its pair's size, or is smaller than ``crop`` pixels.
        """
        for key, members in self.pairs:
            sizes = {kind: _size(key, kind, member) for kind, member in members.items()}
            first = sizes["defocused"]
            for kind, size in sizes.items():
                where = f"{members[kind].shard}: the pair {key}"
                if size != first:
                    raise DataError(f"{where}: {kind} has {size[0]}x{size[1]} pixels, defocused {first[0]}x{first[1]}")
            if crop is not None and min(first) < crop:
                raise DataError(f"{where}: {first[0]}x{first[1]} pixels, smaller than the crop of {crop}")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        key, members = self.pairs[index]
        pictures: dict[str, Any] = {kind: _decode(key, member) for kind, member in members.items()}
        return pictures | {"name": key}


def _index(shard: Path) -> dict[str, dict[str, Member]]:
    found: dict[str, dict[str, Member]] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                folder, _, name = member.name.rpartition("/")
                key, _, suffix = name.partition(".")
                kind = suffix.split(".")[0]
                if member.isfile() and kind in (*KINDS, *TRUTHS):
                    place = Member(shard, member.offset_data, member.size)
                    pair = found.setdefault(f"{folder}/{key}" if folder else key, {})
                    pair["sharp" if kind in TRUTHS else kind] = place
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{shard}: not a readable shard ({error})") from error
    return found


def _size(key: str, kind: str, member: Member) -> tuple[int, int]:
    """Width and height."""
    for read in (min(_HEADER, member.size), member.size):
        with open(member.shard, "rb") as file:
            file.seek(member.offset)
            data = file.read(read)
        try:
            image = pyvips.Image.new_from_buffer(data, "")
            return image.width, image.height
        except pyvips.Error:
            continue
    raise DataError(f"{member.shard}: the pair {key}: {kind} is not a readable picture")


def _decode(key: str, member: Member) -> Tensor:
    with open(member.shard, "rb") as file:
        file.seek(member.offset)
        data = file.read(member.size)
    try:
        image = pyvips.Image.new_from_buffer(data, "")
        pixels: np.ndarray = image.numpy().reshape(image.height, image.width, image.bands)
    except pyvips.Error as error:
        raise DataError(f"{member.shard}: the pair {key} cannot be decoded") from error
    colours = pixels[..., : 1 if image.bands <= 2 else 3]
    return torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1))).expand(3, -1, -1)
