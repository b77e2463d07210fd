"""Sharp pictures in memory, from which scenes take their layers."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ....io.errors import ImageError
from ....io.images import read_encoded
from ...transfer import to_linear

LEAST = 16  # pixels along each side
REDUCED = (1.0, 0.6, 0.36)  # sizes in which each picture is kept


class PicturePool:
    """Sharp pictures in linear light, each also reduced in size: smaller things, and sharper ones.

    Args:
        pictures: ``[3, H, W]``, sRGB-encoded: uint8, uint16, or floating point in [0, 1]; any sizes from 16 pixels on.
        device: where they are kept, as 16 bits per channel.
        reduced: sizes in which each is kept, as shares of its own, antialiased in linear light; those that leave a side
            below ``least`` pixels are left out, but for the first.
        least: see there.

    Attributes:
        count: of pictures, the reduced ones counted.

    Raises:
        ValueError: no pictures, or one that is misshaped, too small, or of another type or range.
    """

    def __init__(
        self,
        pictures: Iterable[Tensor],
        device: torch.device | str = "cpu",
        *,
        reduced: Sequence[float] = REDUCED,
        least: int = 128,
    ) -> None:
        parts: list[Tensor] = []
        sizes: list[tuple[int, int]] = []
        for picture in pictures:
            _check(picture)
            light = to_linear(picture).float()
            for number, scale in enumerate(reduced):
                size = [round(side * scale) for side in light.shape[1:]]
                if number and min(size) < least:
                    continue
                part = light
                if scale != 1:
                    part = F.interpolate(light[None], size, mode="bilinear", antialias=True, align_corners=False)[0]
                parts.append(part.half().flatten(1).T)
                sizes.append((part.shape[1], part.shape[2]))
        if not parts:
            raise ValueError("pictures: got none, want at least one")
        self.count = len(parts)
        self.pixels = torch.cat(parts).contiguous().to(device)  # [all pixels, 3]
        self.sizes = torch.tensor(sizes)  # [count, 2]
        areas = self.sizes.prod(1)
        self.starts = areas.cumsum(0) - areas
        self.shares = areas.double().sqrt().cumsum(0) / areas.double().sqrt().sum()

    @classmethod
    def read(cls, paths: Sequence[str | Path], device: torch.device | str = "cpu") -> "PicturePool":
        """The pool of picture files. Raises ImageError where one cannot be read or is too small; else as the class."""

        def opened() -> Iterator[Tensor]:
            for path in paths:
                picture = read_encoded(path)[0].expand(3, -1, -1)
                if min(picture.shape[1:]) < LEAST:
                    size = f"{picture.shape[2]}x{picture.shape[1]}"
                    raise ImageError(f"{path}: {size} pixels, want at least {LEAST} along each side")
                yield picture

        return cls(opened(), device)

    def patches(self, choice: Tensor, y: Tensor, x: Tensor, turn: Tensor, side: int) -> Tensor:
        """Square parts of pictures, mirrored at the borders of smaller ones.

        Args:
            choice, y, x: ``[N]`` float in (0, 1) on the CPU: which picture (larger ones are taken more often, in
                proportion to their sides), and where.
            turn: ``[N]`` int64, 0 to 7: one of the turns and mirror images of a square.
            side: in pixels.

        Returns: ``[N, 3, side, side]`` float32 linear light on the pool's device.
        """
        picture = torch.searchsorted(self.shares, choice.double()).clamp_max(self.count - 1)
        height, width = self.sizes[picture].T
        top, left = (u * ((length - side).clamp_min(0) + 1) for u, length in ((y, height), (x, width)))
        device = self.pixels.device
        start, top, left, height, width, turn = (
            t.to(device, torch.int64)[:, None] for t in (self.starts[picture], top, left, height, width, turn)
        )
        along = torch.arange(side, device=device)
        rows = torch.where(turn & 1 > 0, side - 1 - along, along)
        columns = torch.where(turn & 2 > 0, side - 1 - along, along)
        rows, columns = _mirrored(top + rows, height) * width + start, _mirrored(left + columns, width)
        across = (turn & 4 > 0)[..., None]
        index = torch.where(across, rows[:, None, :] + columns[:, :, None], rows[:, :, None] + columns[:, None, :])
        return self.pixels[index].permute(0, 3, 1, 2).float()


def _check(picture: Tensor) -> None:
    if picture.dim() != 3 or picture.shape[0] != 3 or min(picture.shape[1:]) < LEAST:
        raise ValueError(f"pictures: got shape {list(picture.shape)}, want [3, H, W] with H, W >= {LEAST}")
    if not picture.is_floating_point():
        if picture.dtype not in (torch.uint8, torch.uint16):
            raise ValueError(f"pictures: got dtype {picture.dtype}, want uint8, uint16 or floating point in [0, 1]")
    elif not bool(((picture >= 0) & (picture <= 1)).all()):
        raise ValueError("pictures: got values outside [0, 1], want floating point in [0, 1]")


def _mirrored(index: Tensor, length: Tensor) -> Tensor:
    period = 2 * length
    index = index.remainder(period)
    return torch.minimum(index, period - 1 - index)
