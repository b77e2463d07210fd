"""``PairRenderer``: batches of defocused pictures and their all-in-focus truth."""

from collections.abc import Sequence
from numbers import Integral

import torch
import torch.nn.functional as F
from torch import Tensor

from .apertures import draw_apertures
from .camera import developed, photograph, with_bayer, with_noise
from .draws import Draws
from .lens import all_in_focus, defocus
from .options import RenderingOptions
from .picture_pool import PicturePool
from .scenes import draw_scenes, paint

ENLARGED = 1.86  # of LFDOF: views of 541x376 pixels became pictures of 1008x688
FACTORS = (2, 3, 5)  # of lengths that Fourier transforms are fast for


class PairRenderer:
    """Random scenes of one to four layers, seen by a random lens and camera; never the same twice.

    Pair number ``p`` depends on the seed, ``p``, the pool and the options alone, not on the batch or the device (but
    for rounding).

    Args:
        pool: sharp pictures; pairs are rendered where they are.
        options: what is drawn.
        seed: a whole number from 0 to 2^63 - 1.
        dual_pixel: also render what the left and right halves of the aperture see; each has its own noise, and their
            weighted mean is the defocused picture. These pairs are not compressed.

    Raises: ValueError: a bad seed, or in a call bad numbers.
    """

    def __init__(
        self, pool: PicturePool, options: RenderingOptions | None = None, *, seed: int = 0, dual_pixel: bool = False
    ) -> None:
        if not 0 <= seed < 2**63:
            raise ValueError(f"seed: got {seed}, want a whole number from 0 to 2^63 - 1")
        self.pool, self.options, self.seed, self.dual_pixel = pool, options or RenderingOptions(), seed, dual_pixel
        self.side = _fast_length(self.options.side + 2 * self.options.margin)

    @torch.no_grad()
    def __call__(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """Render pairs.

        Args:
            numbers: of the pairs, whole ones, each from 0 to 2^63 - 1.

        Returns:
            ``defocused`` and ``sharp``, with ``dual_pixel`` also ``left`` and ``right``: ``[B, 3, side, side]`` float32
            in [0, 1], sRGB-encoded in steps of 1/255, on the pool's device.
        """
        options, device, count = self.options, self.pool.pixels.device, len(numbers)
        wrong = [number for number in numbers if not (isinstance(number, Integral) and 0 <= number < 2**63)]
        if wrong:
            raise ValueError(f"numbers: got {wrong[0]}, want whole numbers from 0 to 2^63 - 1")
        if not count:
            names = ("defocused", "sharp", "left", "right") if self.dual_pixel else ("defocused", "sharp")
            return {name: torch.empty(0, 3, options.side, options.side, device=device) for name in names}
        draws = Draws(self.seed, torch.as_tensor(numbers, dtype=torch.int64))
        enlarged = draws.happens("enlarged", options.enlarged)
        there = draws.to(device)
        scenes = draw_scenes(draws, options)
        layers = paint(scenes, draws, self.pool, options, self.side)
        weights, places, cell = (value.to(device) for value in draw_apertures(draws, enlarged))
        enlarged = enlarged.to(device)

        def through(part: Tensor) -> Tensor:
            return self._framed(defocus(scenes, layers, (part, places, cell), count), enlarged)

        sharp = self._framed(all_in_focus(scenes, layers, count), enlarged).clamp_(0, 1)
        pair = {"sharp": developed(with_bayer(sharp, there, options))}
        if not self.dual_pixel:
            return {"defocused": photograph(through(weights), there, options)} | pair
        left = weights * ((places < 0) + 0.5 * (places == 0))[:, None]
        share = (left.sum((1, 2)) / weights.sum((1, 2)))[:, None, None, None]
        halves = {
            name: with_noise(through(part).clamp_(0, 1), there, options.noisy, name, part_share)
            for name, part, part_share in (("left", left, share), ("right", weights - left, 1 - share))
        }
        light = {"defocused": share * halves["left"] + (1 - share) * halves["right"]} | halves
        return {name: developed(with_bayer(value, there, options)) for name, value in light.items()} | pair

    def _framed(self, light: Tensor, enlarged: Tensor) -> Tensor:
        """The middle, out of reach of the borders; of lenslet pictures a smaller one, enlarged."""
        side = self.options.side
        whole = _middle(light, side)
        if not self.options.enlarged:
            return whole
        part = _middle(light, round(side / ENLARGED))
        large = F.interpolate(part, (side, side), mode="bicubic", align_corners=False).clamp_min_(0)
        return torch.where(enlarged[:, None, None, None], large, whole)


def _middle(light: Tensor, side: int) -> Tensor:
    top, left = ((length - side) // 2 for length in light.shape[-2:])
    return light[..., top : top + side, left : left + side]


def _fast_length(least: int) -> int:
    """The least even number from ``least`` on that is a product of 2, 3 and 5."""
    length = least + least % 2
    while True:
        rest = length
        for factor in FACTORS:
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 2
