"""Pictures between their pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor

_MOST = {torch.uint8: 255, torch.uint16: 65535}
_PRECISE = (torch.uint16, torch.float64)  # in float32 places are off by so much that 16 bits show it


def bicubic_at(picture: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """A picture at any places, bicubic; beyond its borders it is as its last pixels are.

    Args:
        picture: ``[C, H, W]``, integers or floating point.
        y, x: ``[h, w]`` float64; centres of pixels are whole numbers.

    Returns: ``[C, h, w]`` in the picture's dtype, on its device; never below 0, integers rounded.
    """
    height, width = picture.shape[1:]
    work = torch.float64 if picture.dtype in _PRECISE else torch.float32
    at = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)[None].to(picture.device, work)
    pixels = picture.to(work)[None]
    found = F.grid_sample(pixels, at, mode="bicubic", padding_mode="border", align_corners=False)[0]
    found = found.clamp(0, _MOST.get(picture.dtype))  # bicubic overshoots at edges
    return (found if picture.is_floating_point() else found.round()).to(picture.dtype)
