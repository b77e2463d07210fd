"""A picture of a light field, as a camera in its place would take it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from lfdeblur_ops import refocus

from ..lazy_views import Window
from ..light_field import LightField, LightFieldError
from ..transfer import linear_to_srgb, srgb_to_linear
from .aperture import Aperture, left_half, right_half
from .exposure import KNOTS, blend_of_knots, cut_out, knot_fields, needed_part, picture_window, refocus_light
from .planes import MAX_DISPARITY
from .truth import all_in_focus_light

HALVES = ("whole", "left", "right")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
MANY_VIEWS = 120  # of an aperture, from where half of them draw a draft
PLANES, EVERYWHERE = "bilinear", "bicubic"  # what is meant by None
BAND_BYTES = 256 << 20  # of the views of one band of rows and one colour in linear light


@dataclass(frozen=True)
class Shot:
    """What a camera is set to, but for what it focuses on.

    Attributes:
        aperture: its shape and size.
        viewpoint: where the aperture's centre is, ``(v, u)`` in view steps from the middle of the grid, down and to the
            right: looking around. What is in focus stays in its place.
        half: ``whole``, or the ``left`` or ``right`` half of the aperture, as one pixel of a dual-pixel camera sees.
        exposure: in stops: 1 is twice the light.
        interpolation: as ``lfdeblur_ops.refocus`` takes it; None: bilinear, and bicubic where all is in focus, which
            bilinear would blur.

    Raises: ValueError: a setting that is none; the message names it.
    """

    aperture: Aperture
    viewpoint: tuple[float, float] = (0.0, 0.0)
    half: str = "whole"
    exposure: float = 0.0
    interpolation: str | None = None

    def __post_init__(self) -> None:
        if self.half not in HALVES:
            raise ValueError(f"half: got {self.half!r}, want {', '.join(HALVES)}")
        if self.interpolation not in (None, *INTERPOLATIONS):
            raise ValueError(f"interpolation: got {self.interpolation!r}, want {', '.join(INTERPOLATIONS)}")
        if not (math.isfinite(self.exposure) and abs(self.exposure) <= 16):
            raise ValueError(f"exposure: got {self.exposure:g}, want stops from -16 to 16")
        if not all(map(math.isfinite, self.viewpoint)):
            raise ValueError(f"viewpoint: got {self.viewpoint}, want two numbers of view steps")

    def weights(self, grid: tuple[int, int], field: tuple[float, float] = (0.0, 0.0)) -> Tensor:
        """``[V, U]`` float32 of the views, seen from a position in the picture (``Aperture.weights``).

        Raises ValueError where the aperture covers no view, or leaves the grid.
        """
        if any(abs(at) > (views - 1) / 2 for at, views in zip(self.viewpoint, grid, strict=True)):
            v, u = self.viewpoint
            raise ValueError(f"viewpoint: got {v:g},{u:g}, which is outside the grid of {grid[0]}x{grid[1]} views")
        weights = self.aperture.weights(grid, field, center=self.viewpoint)
        if self.half == "whole":
            return weights
        weights = (left_half if self.half == "left" else right_half)(weights, self.viewpoint[1])
        if not bool((weights > 0).any()):
            v, u = self.viewpoint
            raise ValueError(f"half: the {self.half} half of {self.aperture} at viewpoint {v:g},{u:g} covers no view")
        return weights

    def on_planes(self, light_field: LightField, disparities: Sequence[float]) -> Tensor:
        """Pictures focused on planes, the light of the views summed.

        An aperture that varies over the picture is that of 3 x 3 positions, blended in between, as in ``expose``.

        Args:
            light_field: of any transfer function; its ``weights`` multiply the aperture.
            disparities: of the planes, pixels per view step.

        Returns: ``[D, C, H, W]`` float32 in [0, 1], sRGB-encoded, on the light field's device.

        Raises: ValueError: as ``weights``, or as ``lfdeblur_ops.refocus``.
        """
        if not all(abs(disparity) <= MAX_DISPARITY for disparity in disparities):
            raise ValueError(f"disparity: got {max(disparities, key=abs):g}, want at most {MAX_DISPARITY:g} either way")
        (v, u, channels, height, width) = light_field.views.shape
        rows = max(16, BAND_BYTES // (4 * v * u * width))
        planes = torch.tensor(disparities, dtype=torch.float32, device=light_field.views.device)
        weights, shares = self._spread(light_field)
        reach = float(planes.abs().max()) if len(planes) else 0.0
        out = torch.empty(len(planes), channels, height, width, device=planes.device)
        for top in range(0, height, rows):
            band = Window(y=slice(top, min(top + rows, height))).within(light_field.shape, light_field.scene)
            seen, used, outer = needed_part(light_field, weights, reach, band)
            inner = band.pixels_from(outer)
            drawn = (refocus_light(seen, planes, one, interpolation=self.interpolation or PLANES) for one in used)
            light = _blended((cut_out(one, inner) for one in drawn), shares[:, band.y])
            out[..., band.y, :] = self._develop(light)
        return out

    def all_in_focus(self, light_field: LightField, disparity: Tensor) -> Tensor:
        """A picture in which all is in focus: every view counts where it sees the point that the centre view sees.

        Args:
            light_field: of any transfer function.
            disparity: ``[H, W]`` of the centre view, pixels per view step, as ``disparity_of`` gives it. It belongs to
                the middle of the grid: ``viewpoint`` does not move this picture, only which views count; one beyond
                the grid counts as the nearest within.

        Returns: ``[C, H, W]`` float32 in [0, 1], sRGB-encoded.
        """
        counted = light_field.copy(weights=self._within(light_field.grid).counted_weights(light_field))
        return self._develop(all_in_focus_light(counted, disparity, interpolation=self.interpolation or EVERYWHERE))

    def draft(self, light_field: LightField, disparity: float | Tensor) -> Tensor:
        """What ``on_planes`` draws, quickly: by the mean and the variance of the stored values.

        For light that is the square of the stored values the root of their mean square is exact, and sRGB is not far
        from that: 40 dB or more on the scene that ships. Of an aperture of very many views every other one counts.

        Args:
            light_field: of any transfer function.
            disparity: of one plane, or a map ``[H, W]``.

        Returns: ``[C, H, W]`` float32 in [0, 1], sRGB-encoded.
        """
        sketch: dict[str, Any] = {"interpolation": self.interpolation or PLANES}
        if isinstance(disparity, Tensor) and light_field.transfer != "linear":
            # Where all is in focus the views agree: their variance is noise.
            weights = self._within(light_field.grid).counted_weights(light_field).to(light_field.views.device)
            mean = refocus(light_field.views, disparity, aperture=weights, **sketch).float()
            return self._expose(mean)
        weights, shares = self._spread(light_field)
        if int((weights > 0).any(0).sum()) > MANY_VIEWS:
            rows, columns = light_field.grid
            weights = weights * ((torch.arange(rows)[:, None] + torch.arange(columns)) % 2 == 0)
        sketch["aperture"] = weights.to(light_field.views.device)  # of all positions in one pass
        if light_field.transfer == "linear":
            lights = refocus(light_field.views, disparity, **sketch).float()
        else:
            mean, variance = refocus(light_field.views, disparity, reduce="moments", **sketch)
            lights = variance.float().addcmul_(mean, mean).clamp_min_(0)
        blended = _blended(lights, shares)
        if light_field.transfer == "linear":
            return self._develop(blended)
        return self._expose(blended.sqrt_())

    def _spread(self, light_field: LightField) -> tuple[Tensor, Tensor]:
        """``[K, V, U]`` weights at positions of the picture, and ``[K, H, W]`` what share of its light each has there.

        One position, and no pixels, where the aperture is the same everywhere.
        """
        if not self.aperture.varies:
            return self.counted_weights(light_field)[None], torch.empty(1, light_field.size[0], 0)
        fields = knot_fields(picture_window(light_field, None), light_field.size, KNOTS)
        weights = torch.stack([self.counted_weights(light_field, field) for field in fields])
        amount = weights.sum((-2, -1))[:, None, None] * blend_of_knots(KNOTS, *light_field.size)
        return weights, (amount / amount.sum(0)).to(light_field.views.device)

    def counted_weights(self, light_field: LightField, field: tuple[float, float] = (0.0, 0.0)) -> Tensor:
        """``weights`` times the views' own. Raises LightFieldError too: the aperture covers only views of weight 0."""
        weights = self.weights(light_field.grid, field)
        if light_field.weights is None:
            return weights
        counted = weights * light_field.weights.cpu()
        if not bool((counted > 0).any()):
            raise LightFieldError(f"aperture: {self.aperture} covers only views of weight 0")
        return counted

    def _within(self, grid: tuple[int, int]) -> "Shot":
        """The same, its viewpoint within the grid."""
        most = [(views - 1) / 2 for views in grid]
        v, u = (min(max(at, -limit), limit) for at, limit in zip(self.viewpoint, most, strict=True))
        return replace(self, viewpoint=(v, u))

    def _expose(self, encoded: Tensor) -> Tensor:
        """An sRGB picture with more or less light."""
        if not self.exposure:
            return encoded.clamp_(0, 1)
        return linear_to_srgb((srgb_to_linear(encoded) * 2**self.exposure).clamp(0, 1))

    def _develop(self, light: Tensor) -> Tensor:
        """Light on the sensor as an sRGB picture."""
        exposed = light * 2**self.exposure if self.exposure else light
        return linear_to_srgb(exposed.clamp(0, 1))


def parse_viewpoint(text: str) -> tuple[float, float]:
    """Read ``V,U``, view steps down and to the right of the middle of the grid. Raises ValueError."""
    try:
        v, u = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"viewpoint: got {text!r}, want V,U in view steps, for example 0,1.5") from None
    return v, u


def _blended(lights: Iterable[Tensor], shares: Tensor) -> Tensor:
    """``[..., H, W]``: lights by their shares ``[K, H, W]``; the one light there is where shares have no pixels."""
    if not shares.numel():
        return next(iter(lights))
    return reduce(torch.add, (light * share for light, share in zip(lights, shares, strict=True)))
