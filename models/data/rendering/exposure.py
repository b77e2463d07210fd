"""What falls on the sensor through an aperture, in linear light."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import refocus

from ..lazy_views import Window
from ..light_field import LightField, LightFieldError
from ..transfer import empty_light, to_linear
from .aperture import Aperture, left_half, right_half
from .noise import Noise

KNOTS = 3  # positions along each side of a picture at which a varying aperture is rendered; blended in between


class Exposure(NamedTuple):
    """What falls on the sensor: linear light.

    Attributes:
        sides: ``[A, S, D, C, H, W]``: through the whole apertures (S = 1), or their left and right halves (S = 2).
        share: ``[A, S, 1 or H, 1 or W]`` part of the light in each.
    """

    sides: Tensor
    share: Tensor

    @property
    def light(self) -> Tensor:
        """``[A, D, C, H, W]`` through the whole apertures: the weighted sum of the halves; made when asked for."""
        if self.sides.shape[1] == 1:
            return self.sides[:, 0]
        left, right = self.share[:, :, None, None].unbind(1)
        return (self.sides[:, 0] * left).add_(self.sides[:, 1] * right)

    def at(self, aperture: int, plane: int) -> "Exposure":
        """One aperture at one plane, still with both axes."""
        a, d = slice(aperture, aperture + 1), slice(plane, plane + 1)
        return Exposure(self.sides[a, :, d], self.share[a])

    def with_noise(self, noise: Noise, seed: int) -> "Exposure":
        """A noisy exposure; each half has its own noise, and the whole picture is their sum. ``seed``: 0 to 2^64-1."""
        generator = torch.Generator(self.sides.device).manual_seed(seed)
        # Half a sensor collects a part of the photons: its noise is that of the part, brought back to full scale.
        share = self.share[:, :, None, None].clamp_min(1e-6) if self.sides.shape[1] == 2 else 1.0
        return self._replace(sides=noise.add(self.sides, generator, share))


def refocus_light(
    light_field: LightField,
    disparity: Tensor | Sequence[float] | float,
    aperture: Tensor | None = None,
    *,
    scale: int = 1,
    interpolation: str = "bilinear",
    backend: str = "auto",
) -> Tensor:
    """``lfdeblur_ops.refocus`` in linear light, one colour channel at a time to save memory.

    Args:
        light_field: of any transfer function; its ``weights`` multiply the aperture.
        disparity: a number, ``[D]``, or a map ``[H, W]`` / ``[D, H, W]`` (of the output's size), pixels per view step.
        aperture: ``[V, U]`` or ``[A, V, U]``; None: all views.
        scale: pixels of the output along each side per pixel of a view. 2 interleaves the views' samples, which fall
            between each other's pixels (as ``UpsampRate`` of LFToolbox's LFFiltShiftSum does).
        interpolation, backend: as ``lfdeblur_ops.refocus`` takes them.

    Returns: ``[A, D, C, H, W]`` float32 linear light in [0, 1] (bicubic may overshoot), without A or D where the
        argument has no such axis. Errors are those of ``lfdeblur_ops.refocus``.
    """
    views, weights = light_field.views, light_field.weights
    if weights is not None:
        aperture = weights if aperture is None else aperture * weights
    if scale != 1:
        planes = torch.as_tensor(disparity, dtype=torch.float32, device=views.device)
        disparity = planes * scale

    def one(part: Tensor, memory: Tensor | None = None) -> Tensor:
        if light_field.transfer != "linear" or part.dtype == torch.float16:
            part = to_linear(part, light_field.transfer, out=memory).float()
        if scale != 1:
            part = enlarge(part, scale)
        return refocus(part, disparity, aperture=aperture, interpolation=interpolation, backend=backend).float()

    channels = views.shape[2]
    if channels == 1 or (light_field.transfer == "linear" and scale == 1):
        return one(views)
    memory = None if views.is_floating_point() else empty_light((*views.shape[:2], 1, *views.shape[3:]), views.device)
    light = one(views[:, :, :1], memory)
    out = empty_light((*light.shape[:-3], channels, *light.shape[-2:]), light.device)
    out[..., :1, :, :] = light
    for c in range(1, channels):
        out[..., c : c + 1, :, :] = one(views[:, :, c : c + 1], memory)
    return out


def expose(
    light_field: LightField,
    disparities: Sequence[float],
    apertures: Sequence[Aperture | Tensor],
    *,
    halves: bool = False,
    window: Window | None = None,
    scale: int = 1,
    interpolation: str = "bilinear",
    backend: str = "auto",
) -> Exposure:
    """Every aperture at every plane, in linear light, from one pass over the views that count.

    Args:
        light_field: any device.
        disparities: of the planes in focus, pixels per view step.
        apertures: shapes, or ``[V, U]`` weights; a shape that varies over the picture is rendered at 3 x 3 positions
            (at a window's corners) and blended in between, light and weights alike.
        halves: also through the left and right halves.
        window: render this part of the picture only (``y``, ``x``; all views count that the apertures let in), from the
            part of the views that it needs; None: all.
        scale, interpolation, backend: as in ``refocus_light``.

    Raises:
        RuntimeError, TypeError, ValueError: as ``lfdeblur_ops.refocus`` and the apertures.
        LightFieldError: the window reaches beyond the picture, or leaves views out.
    """
    device = light_field.views.device
    window = picture_window(light_field, window)
    knots = 1 if not any(isinstance(a, Aperture) and a.varies for a in apertures) else _knots(window, light_field.size)
    weights = torch.stack([_weights(a, light_field, window, knots) for a in apertures])  # [A, K, V, U]
    pieces = torch.stack([left_half(weights), right_half(weights)], 1) if halves else weights[:, None]
    pieces = pieces.to(device)  # [A, S, K, V, U]
    counted = pieces if light_field.weights is None else pieces * light_field.weights.to(device)
    sums = counted.sum((-2, -1))  # [A, S, K]
    lit = (sums > 0).flatten()
    planes = torch.tensor(disparities, dtype=torch.float32, device=device)
    seen, used, outer = needed_part(light_field, counted.flatten(0, 2), max(map(abs, disparities), default=0.0), window)
    light = refocus_light(seen, planes, used[lit], scale=scale, interpolation=interpolation, backend=backend)
    light = cut_out(light, window.pixels_from(outer), scale)
    shape = sums.shape
    if not bool(lit.all()):
        full = light.new_zeros(len(lit), *light.shape[1:])
        full[lit] = light
        light = full
    light = light.unflatten(0, shape)  # [A, S, K, D, C, H, W]
    amount = sums
    if knots == 1:
        light, amount = light[:, :, 0], amount[:, :, 0, None, None]
    else:
        blend = blend_of_knots(knots, light.shape[-2], light.shape[-1]).to(device)  # [K, H, W]
        blend = sums[..., None, None] * blend
        amount = blend.sum(2)  # [A, S, H, W]
        light = (light * blend[:, :, :, None, None]).sum(2) / amount.clamp_min(1e-12)[:, :, None, None]
    return Exposure(light, amount / amount.sum(1, keepdim=True))


def picture_window(light_field: LightField, window: Window | None) -> Window:
    """A part of the picture, with start and stop; None: all. Raises LightFieldError: outside, or not of all views."""
    window = (window or Window()).within(light_field.shape, light_field.scene)
    if window.shape[:2] != light_field.grid:
        raise LightFieldError("window: got some of the views, want all: what an aperture leaves out does not count")
    return window


def needed_part(
    light_field: LightField, weights: Tensor, disparity: float, window: Window
) -> tuple[LightField, Tensor, Window]:
    """What a window needs of a light field, and no more.

    Args:
        weights: ``[N, V, U]`` of the views.
        disparity: the largest absolute one, pixels per view step.
        window: the part of the picture.

    Returns: the light field of the views that count, cut to the window and its margin (a share of the memory, no copy,
        its own ``weights`` gone); the weights of these views; and which window of all that is.
    """
    rows, columns = light_field.grid
    lit = (weights > 0).any(0)
    lit = lit | lit.flip(0) | lit.flip(1) | lit.flip((0, 1))  # keeps the centre where it is
    v, u = (int(lit.any(axis).int().argmax()) for axis in (1, 0))
    offset = max((rows - 1) / 2 - v, (columns - 1) / 2 - u)
    margin = math.ceil(disparity * offset) + 3  # bicubic reaches two pixels further
    outer = window.widened(margin, light_field.size)._replace(rows=slice(v, rows - v), columns=slice(u, columns - u))
    return light_field.crop(*outer).copy(weights=None), weights[:, outer.rows, outer.columns], outer


def cut_out(pictures: Tensor, window: Window, scale: int = 1) -> Tensor:
    """The pixels of a window of ``[..., H, W]``, which have ``scale`` times the window's resolution."""
    y, x = (slice(part.start * scale, part.stop * scale) for part in (window.y, window.x))
    return pictures[..., y, x]


def _weights(aperture: Aperture | Tensor, light_field: LightField, window: Window, knots: int) -> Tensor:
    """``[K, V, U]``: the aperture as seen from each of ``knots x knots`` positions over the window."""
    if isinstance(aperture, Tensor):
        return aperture.float().cpu().expand(knots**2, -1, -1)
    fields = knot_fields(window, light_field.size, knots)
    return torch.stack([aperture.weights(light_field.grid, field) for field in fields])


def knot_fields(window: Window, size: tuple[int, int], knots: int) -> list[tuple[float, float]]:
    """``(y, x)`` of ``knots x knots`` positions over a window, row by row, as ``Aperture.weights`` counts fields."""
    height, width = size
    half_diagonal = math.hypot(height, width) / 2
    window_height, window_width = window.shape[2:]
    along = torch.linspace(0, 1, knots).tolist() if knots > 1 else [0.5]
    return [
        (
            (window.y.start + y * window_height - height / 2) / half_diagonal,
            (window.x.start + x * window_width - width / 2) / half_diagonal,
        )
        for y in along
        for x in along
    ]


def _knots(window: Window, size: tuple[int, int]) -> int:
    """Two along each side where the window spans no more than a knot of the whole picture, else all."""
    height, width = window.shape[2:]
    return 2 if max(height / size[0], width / size[1]) <= 1 / (KNOTS - 1) else KNOTS


def blend_of_knots(knots: int, height: int, width: int) -> Tensor:
    """``[K, H, W]``: how much each of ``knots x knots`` positions counts at each pixel: bilinear."""

    def ramps(length: int) -> Tensor:
        position = (torch.arange(length) + 0.5) / length * (knots - 1)
        return (1 - (position - torch.arange(knots)[:, None]).abs()).clamp_min(0)

    return (ramps(height)[:, None, :, None] * ramps(width)[None, :, None, :]).flatten(0, 1)


def enlarge(views: Tensor, scale: int) -> Tensor:
    """``[V, U, C, H, W]`` linear light with ``scale`` times the pixels, the picture's centre in its place."""
    if not isinstance(scale, int) or scale < 1:
        raise LightFieldError(f"scale: got {scale!r}, want a whole number >= 1")
    if not views.is_floating_point():
        views = to_linear(views, "linear")
    flat = F.interpolate(views.flatten(0, 1), scale_factor=scale, mode="bicubic", align_corners=False)
    return flat.unflatten(0, views.shape[:2])
