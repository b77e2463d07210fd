"""Pairs rendered from sharp pictures while a network is trained, never the same twice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from ..errors import DataError
from ..rendering.layered import PairRenderer, PicturePool, RenderingOptions
from .picture_files import pictures_in

ENDLESS = 2**31 - 1  # pairs that can be drawn


class RenderedPairs(Dataset[dict[str, Any]]):
    """``PairRenderer``'s pairs of the pictures of a folder; pair ``i`` depends on the seed and ``i`` alone.

    Args:
        root: a folder of sharp pictures, 8 or 16 bits; they are kept in memory as 16 bits per channel.
        options: of the scenes, the lens and the camera.
        seed: a whole number >= 0.
        dual_pixel: also give ``left`` and ``right``.
        device: where pictures are kept and pairs rendered.

    Items are dicts of ``[3, side, side]`` float32 in [0, 1], sRGB-encoded, and a ``name``; ``__getitems__`` renders a
    batch at once, which is faster.

    Raises:
        DataError: there is no such folder, or no picture in it.
        ImageError: a picture cannot be read.
    """

    def __init__(
        self,
        root: str | Path,
        options: RenderingOptions | None = None,
        *,
        seed: int = 0,
        dual_pixel: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        paths = pictures_in(Path(root))
        if not paths:
            raise DataError(f"{root}: no pictures there")
        self.renderer = PairRenderer(PicturePool.read(paths, device), options, seed=seed, dual_pixel=dual_pixel)

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        pairs = self.renderer(indices)
        return [
            {name: pictures[i] for name, pictures in pairs.items()} | {"name": f"pair {index}"}
            for i, index in enumerate(indices)
        ]
