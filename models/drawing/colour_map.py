"""Numbers as colours, and the legend that tells which."""

import math
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

# Viridis, as even to the eye as it is to the numbers: a polynomial of degree 6 for each of red, green and blue, by Matt
# Zucker (public domain), off by at most 2 %. The viewer's page has the same.
_VIRIDIS = (
    (0.2777273272, 0.1050930431, -0.3308618287, -4.634230499, 6.228269936, 4.776384998, -5.435455856),
    (0.0054073445, 1.40461353, 0.2148475595, -5.799100973, 14.17993337, -13.74514538, 4.645852612),
    (0.3340998053, 1.38459016, 0.0950951630, -19.33244096, 56.6905526, -65.35303263, 26.31243525),
)
_LEVELS = 1024
UNSURE = (118, 118, 118)  # viridis has no grey
BACKGROUND, INK = (24, 26, 30), (236, 238, 240)


def coloured(values: Tensor, low: float, high: float, mask: Tensor | None = None) -> Tensor:
    """Numbers in the colours of viridis, dark blue at ``low`` and yellow at ``high``.

    Args:
        values: ``[H, W]``, any real dtype and device; what lies beyond the ends has their colours.
        low, high: finite; where they are one, everything has the middle colour.
        mask: ``[H, W]`` bool, False where a number is not to be trusted: such pixels are grey, as NaN and infinite ones
            are. None: all are.

    Returns: ``[3, H, W]`` uint8 on the CPU.

    Raises:
        ValueError: another shape, or ends that are not finite or the wrong way round.
    """
    _check_ends(low, high)
    if values.dim() != 2:
        raise ValueError(f"values: got shape {list(values.shape)}, want [H, W]")
    if mask is not None and mask.shape != values.shape:
        raise ValueError(f"mask: got shape {list(mask.shape)}, want {list(values.shape)} as the values")
    numbers = values.detach().cpu().double()
    sure = torch.isfinite(numbers) if mask is None else torch.isfinite(numbers) & mask.cpu()
    share = (numbers.nan_to_num(0.0, 0.0, 0.0) - low) / (high - low) if high > low else torch.full_like(numbers, 0.5)
    index = (share.clamp(0, 1) * (_LEVELS - 1)).round().long()
    index[~sure] = _LEVELS
    return torch.from_numpy(np.moveaxis(_table()[index.numpy()], -1, 0).copy())


def with_legend(picture: Tensor, low: float, high: float, unit: str, note: str = "") -> Image.Image:
    """A coloured picture above a bar of its colours.

    Args:
        picture: ``[3, H, W]`` uint8, as ``coloured`` gives it.
        low, high: as ``coloured`` was given.
        unit: stands after the last number, as ``px/view``.
        note: in a line of its own, as ``grey: not sure``.
    """
    shown = Image.fromarray(picture.cpu().permute(1, 2, 0).contiguous().numpy())
    below = legend(shown.width, low, high, unit, note)
    whole = Image.new("RGB", (shown.width, shown.height + below.height), BACKGROUND)
    whole.paste(shown, (0, 0))
    whole.paste(below, (0, shown.height))
    return whole


def legend(width: int, low: float, high: float, unit: str, note: str = "") -> Image.Image:
    """A bar of the colours from ``low`` to ``high``, round numbers at their places below it, ``width`` pixels wide.

    Raises: ValueError: as ``coloured``.
    """
    _check_ends(low, high)
    size = min(28, max(11, width // 36))
    font = ImageFont.load_default(size)
    margin, bar, line = size // 2, size, round(1.4 * size)
    picture = Image.new("RGB", (width, margin + bar + line + (line if note else 0) + margin), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    length = max(2, width - 2 * margin)
    ramp = coloured(torch.linspace(low, high, length).expand(bar, length), low, high)
    picture.paste(Image.fromarray(ramp.permute(1, 2, 0).contiguous().numpy()), (margin, margin))
    end = width - margin - draw.textlength(unit, font)  # numbers keep clear of the unit
    draw.text((end, margin + bar), unit, INK, font)
    free = 0.0
    for tick, text in ticks(low, high, max(2, length // (5 * size))):
        at = margin + (length - 1) * ((tick - low) / (high - low) if high > low else 0.5)
        wide = draw.textlength(text, font)
        left = min(max(at - wide / 2, 0), width - wide)
        if left >= free and left + wide + size / 2 < end:
            draw.line((at, margin + bar - size // 4, at, margin + bar + size // 6), INK, max(1, size // 12))
            draw.text((left, margin + bar), text, INK, font)
            free = left + wide + size / 2
    if note:
        draw.text((margin, margin + bar + line), note, INK, font)
    return picture


def ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """At most about ``most`` round numbers from ``low`` to ``high``, each with its text: steps of 1, 2 or 5."""
    if high <= low:
        return [(low, f"{low:.3g}")]
    rough = (high - low) / most
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * factor for factor in (1, 2, 5, 10) if scale * factor >= rough * 0.999)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [(index * step, f"{index * step + 0.0:.{decimals}f}") for index in range(first, last + 1)]


@cache
def _table() -> np.ndarray:
    """``[levels + 1, 3]`` uint8; the last is for what is not sure."""
    share = np.linspace(0, 1, _LEVELS)
    colours = np.stack([np.polynomial.polynomial.polyval(share, factors) for factors in _VIRIDIS], 1)
    return np.concatenate([np.rint(colours.clip(0, 1) * 255).astype(np.uint8), np.array([UNSURE], np.uint8)])


def _check_ends(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"low, high: got {low} and {high}, want finite numbers, the lower first")
