"""What a picture file holds besides its colours."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

_DTYPES = {8: torch.uint8, 16: torch.uint16, 32: torch.float32}


@dataclass(frozen=True)
class ImageInfo:
    """What a picture file holds besides its colours.

    Attributes:
        format: a name in ``KINDS``: ``png``, ``jpeg``, ``tiff``, ``webp``, ``bmp``, ``pnm``, ``avif``, ``heic``,
            ``exr``.
        bits: 8 or 16 per channel, or 32: floating point.
        channels: 1 (grey) or 3 (RGB), without alpha.
        height, width: pixels, after the EXIF orientation is applied (as stored, where it is not).
        alpha: ``[1, H, W]`` of the picture's dtype, or None.
        metadata: ICC profile, EXIF, XMP, IPTC and resolution as libvips names them: ``name: (GType, value)``;
            ``orientation`` where it is not applied; and ``exr-...``, ``avif-...``, what only
            these have.
        transfer: ``srgb``, encoded for display, or ``linear``: floating point is proportional to light, without an
            upper end.
        has_alpha: whether the file has it, also where ``alpha`` is not read yet.
        at_once: decoding takes the memory of the whole picture beside the result.
    """

    format: str
    bits: int
    channels: int
    height: int
    width: int
    alpha: Tensor | None = field(default=None, compare=False)
    metadata: dict[str, tuple[int, Any]] = field(default_factory=dict, compare=False)
    transfer: str = "srgb"
    has_alpha: bool = field(default=False, compare=False)
    at_once: bool = field(default=False, compare=False)

    @property
    def dtype(self) -> torch.dtype:
        """Of the decoded pixels: uint8, uint16 or float32."""
        return _DTYPES[self.bits]


def full_scale(dtype: np.dtype) -> float:
    """What stands for 1 (white, opaque) in decoded pixels of this dtype."""
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0
