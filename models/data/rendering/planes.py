"""Focus planes: written as text, evenly over a scene's disparity range, or where the scene has something to see."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..light_field import LightField

MAX_PLANES = 10_000
MAX_DISPARITY = 10_000.0  # pixels per view step; farther than any picture is wide
PLACEMENTS = ("even", "content")


def parse_disparities(text: str) -> list[float]:
    """Read ``a:b:n`` (n planes evenly from a to b, both included) or ``a,b,c`` (these planes), pixels per view step.

    Raises:
        ValueError: not of these forms, a number that is not finite or beyond 10000, or n < 1.
    """
    parts = text.split(":")
    try:
        if len(parts) == 3:
            first, last, count = float(parts[0]), float(parts[1]), int(parts[2])
            if not 1 <= count <= MAX_PLANES:
                raise ValueError
            step = (last - first) / max(count - 1, 1)
            planes = [first + i * step for i in range(count - 1)] + [last if count > 1 else first]
        else:
            planes = [float(part) for part in text.split(",")]
        if not all(abs(plane) <= MAX_DISPARITY for plane in planes):  # nor one that is no number
            raise ValueError
    except ValueError:
        raise ValueError(
            f"disparity: got {text!r}, want FIRST:LAST:COUNT (for example -2:2:9) or numbers with commas, "
            "in pixels per view step"
        ) from None
    return planes


def even_planes(limits: tuple[float, float], count: int) -> list[float]:
    """``count`` planes from the farthest to the nearest disparity, both included; of one plane the middle."""
    low, high = limits
    return torch.linspace(low, high, count, dtype=torch.float64).tolist() if count > 1 else [(low + high) / 2]


def content_planes(light_field: LightField, disparity: Tensor, count: int) -> list[float]:
    """``count`` planes, each in the middle of an equal share of the scene's texture.

    A plane is worth focusing on where edges lie in it: pixels count by their gradient in the centre view.

    Args:
        light_field: with a centre view.
        disparity: ``[H, W]`` of the centre view, pixels per view step.
        count: of planes, >= 1.
    """
    center = light_field.center.float().mean(0)
    gradient = F.pad(center.diff(dim=1).abs(), (0, 1)) + F.pad(center.diff(dim=0).abs(), (0, 0, 0, 1))
    ordered, index = disparity.flatten().double().sort()
    weight = gradient.flatten().double()[index] + 1e-6
    share = weight.cumsum(0) / weight.sum()
    middles = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    picked = torch.searchsorted(share, middles.to(share.device)).clamp_max(len(ordered) - 1)
    return ordered[picked].tolist()
