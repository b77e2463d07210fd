"""``LightFieldPairs``: training pairs rendered on the fly, nothing on disk."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..depth.disparity import disparity_of
from ..depth.disparity_range import estimate_disparity_range
from ..depth.regularity import regular
from ..lazy_views import Window
from ..light_field import LightField, LightFieldError
from ..rendering.aperture import Aperture, parse_aperture, random_aperture
from ..rendering.defocus import aperture_diameter, defocus_map
from ..rendering.exposure import cut_out, expose
from ..rendering.noise import Noise
from ..rendering.pairs import encode
from ..rendering.truth import TRUTHS, all_in_focus_light, center_light, enlarge_map
from ..sources.find import Source, find_sources, open_source
from ..transfer import to_linear

PAIRS_PER_SCENE = 1000  # one epoch, where no length is given


@dataclass(frozen=True)
class Draw:
    """What was drawn for one pair."""

    scene: int
    aperture: Aperture
    disparity: float
    window: Window
    noise_seed: int


class LightFieldPairs(Dataset[dict[str, Any]]):
    """Random aperture, focus plane and crop of random light fields; each pair depends on ``(seed, index)`` alone.

    Args:
        light_fields: light fields, or whatever ``find_sources`` takes (paths of light fields, RGB-D, stereo,
            photographs; a path may hold several scenes), read when first needed.
        crop: side or ``(height, width)`` of a pair in pixels; None: the whole picture.
        apertures: to draw from, as ``Aperture`` or text (``disk:3``); None: any shape with a radius from 1 view step to
            the grid's.
        disparities: focus planes to draw from, pixels per view step; None: anywhere in the scene's disparity range,
            which is estimated where the light field does not tell it.
        length: number of pairs; None: 1000 per light field. Index ``i`` is the same pair whatever the length.
        seed: a whole number >= 0.
        device: where light fields are kept and pairs are rendered.
        dual_pixel: also give ``left`` and ``right``.
        noise: of the sensor, added to all pictures but the sharp one; None: none.
        truth: ``center``: the centre view; ``refocus``: all views brought into focus by the disparity map.
        with_defocus_map: also give ``defocus_map``.
        scale: 2 gives pairs at twice the views' resolution (see ``refocus_light``); ``crop`` counts pixels of the pair.
        interpolation, backend: as ``lfdeblur_ops.refocus`` takes them.
        cache: light fields kept in memory when they are read from paths; the least recently used one is let go.

    ``pairs[index]`` is a dict of float32 tensors on ``device``: ``defocused`` and ``sharp`` ``[3, h, w]`` in [0, 1],
    sRGB-encoded; with ``dual_pixel`` also ``left`` and ``right``; ``disparity`` (of the plane in focus, pixels per view
    step) and ``diameter`` (of the aperture, view steps) as scalars; ``defocus_map`` ``[1, h, w]`` (signed circle of
    confusion in pixels, positive nearer than the plane); and as text ``aperture`` and ``scene``. Grey light fields give
    three equal channels. ``DataLoader`` collates it as it is; ``__getitems__`` renders a batch at once.

    Raises:
        LightFieldError: a light field cannot be read, or is smaller than ``crop``.
        ValueError: a bad argument. IndexError: no such pair.
    """

    def __init__(
        self,
        light_fields: Sequence[LightField | Source | str | Path],
        *,
        crop: int | tuple[int, int] | None = 256,
        apertures: Sequence[Aperture | str] | None = None,
        disparities: Sequence[float] | None = None,
        length: int | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        dual_pixel: bool = False,
        noise: Noise | None = None,
        truth: str = "center",
        with_defocus_map: bool = False,
        scale: int = 1,
        interpolation: str = "bilinear",
        backend: str = "auto",
        cache: int = 8,
    ) -> None:
        if isinstance(light_fields, (LightField, Source, str, Path)):
            light_fields = [light_fields]
        if not len(light_fields):
            raise ValueError("light_fields: got none, want at least one")
        if truth not in TRUTHS:
            raise ValueError(f"truth: got {truth!r}, want one of {', '.join(TRUTHS)}")
        if scale not in (1, 2):
            raise ValueError(f"scale: got {scale}, want 1 or 2")
        if seed < 0:
            raise ValueError(f"seed: got {seed}, want a whole number >= 0")
        if cache < 1:
            raise ValueError(f"cache: got {cache}, want at least one light field")
        for name, values in (("apertures", apertures), ("disparities", disparities)):
            if values is not None and not len(values):
                raise ValueError(f"{name}: got none, want at least one, or None for random ones")
        size = (crop, crop) if isinstance(crop, int) else crop
        if size is not None and (min(size) < 1 or any(side % scale for side in size)):
            raise ValueError(f"crop: got {size[0]}x{size[1]}, want multiples of {scale}, at least {scale}")
        self.light_fields: list[LightField | Source] = []
        for given in light_fields:
            self.light_fields += [given] if isinstance(given, (LightField, Source)) else find_sources(given)
        self.length = PAIRS_PER_SCENE * len(self.light_fields) if length is None else length
        self.crop, self.scale, self.seed = size, scale, seed
        self.apertures: list[Aperture] | None = None
        if apertures is not None:
            self.apertures = [parse_aperture(a) if isinstance(a, str) else a for a in apertures]
        self.disparities = None if disparities is None else [float(disparity) for disparity in disparities]
        self.device, self.dual_pixel, self.noise = torch.device(device), dual_pixel, noise
        self.truth, self.with_defocus_map = truth, with_defocus_map
        self.interpolation, self.backend = interpolation, backend
        self._kept: OrderedDict[int, LightField] = OrderedDict()
        self._cache = max(cache, sum(isinstance(light_field, LightField) for light_field in self.light_fields))

    def __len__(self) -> int:
        return self.length

    def check(self) -> None:
        """Read every light field once. Raises LightFieldError where one cannot be read or is smaller than ``crop``."""
        for scene in range(len(self.light_fields)):
            self._room(self._light(scene))

    def draw(self, index: int) -> Draw:
        """The choices for a pair. Raises IndexError where there is no such pair, else as reading raises."""
        if not 0 <= index < self.length:
            raise IndexError(f"got index {index}, want 0 to {self.length - 1}")
        rng = np.random.default_rng([self.seed, index])
        scene = int(rng.integers(len(self.light_fields)))
        light_field = self._light(scene)
        if self.apertures is None:
            aperture = random_aperture(rng, light_field.grid)
        else:
            aperture = self.apertures[int(rng.integers(len(self.apertures)))]
        if self.disparities is None:
            assert light_field.disparity_range is not None
            disparity = float(rng.uniform(*light_field.disparity_range))
        else:
            disparity = self.disparities[int(rng.integers(len(self.disparities)))]
        (height, width), room = self._room(light_field)
        top, left = (int(rng.integers(free + 1)) for free in room)
        window = Window(y=slice(top, top + height), x=slice(left, left + width))
        window = window.within(light_field.shape, light_field.scene)
        return Draw(scene, aperture, disparity, window, int(rng.integers(2**63)))

    def _room(self, light_field: LightField) -> tuple[tuple[int, int], tuple[int, int]]:
        """Size of a crop in pixels of the views, and how far it can be moved."""
        height, width = light_field.size
        if self.crop is not None:
            height, width = (side // self.scale for side in self.crop)
        room = light_field.size[0] - height, light_field.size[1] - width
        if min(room) < 0:
            raise LightFieldError(
                f"{light_field.scene}: views of {light_field.size[1]}x{light_field.size[0]} pixels "
                f"are smaller than the crop of {width}x{height}"
            )
        return (height, width), room

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Several pairs; the encoding for display is done for the whole batch at once."""
        draws = [self.draw(index) for index in indices]
        rendered = [self._render(draw) for draw in draws]
        items: list[dict[str, Any]] = []
        alike = len({draw.window.shape for draw in draws}) == 1
        names = list(rendered[0]) if rendered else []
        encoded = {name: encode(torch.stack([one[name] for one in rendered])) for name in names} if alike else {}
        for i, (draw, one) in enumerate(zip(draws, rendered, strict=True)):
            item: dict[str, Any] = {name: encoded[name][i] if alike else encode(light) for name, light in one.items()}
            light_field = self._light(draw.scene)
            diameter = aperture_diameter(draw.aperture, light_field.grid)
            item["disparity"] = torch.tensor(draw.disparity, device=self.device)
            item["diameter"] = torch.tensor(diameter, device=self.device)
            item["aperture"], item["scene"] = str(draw.aperture), light_field.scene
            if self.with_defocus_map:
                part = enlarge_map(cut_out(self._disparity(light_field), draw.window), self.scale)
                item["defocus_map"] = self.scale * defocus_map(part, draw.disparity, diameter)[None]
            items.append(item)
        return items

    def _render(self, draw: Draw) -> dict[str, Tensor]:
        """The pictures of a pair in linear light, ``[3, h, w]``."""
        light_field = self._light(draw.scene)
        exposure = expose(
            light_field,
            [draw.disparity],
            [draw.aperture],
            halves=self.dual_pixel,
            window=draw.window,
            scale=self.scale,
            interpolation=self.interpolation,
            backend=self.backend,
        )
        if self.noise is not None:
            exposure = exposure.with_noise(self.noise, draw.noise_seed)
        pictures = {"defocused": exposure.light[0, 0], "sharp": self._sharp(light_field, draw.window)}
        if self.dual_pixel:
            pictures["left"], pictures["right"] = exposure.sides[0, :, 0]
        return {name: picture.expand(3, -1, -1) for name, picture in pictures.items()}

    def _sharp(self, light_field: LightField, window: Window) -> Tensor:
        if self.truth == "center":
            return center_light(light_field, window, scale=self.scale)
        return all_in_focus_light(light_field, self._disparity(light_field), window, scale=self.scale)

    def _light(self, scene: int) -> LightField:
        """A light field in linear light on the device, with a centre view and a disparity range."""
        if scene in self._kept:
            self._kept.move_to_end(scene)
            return self._kept[scene]
        given = self.light_fields[scene]
        light_field = regular(given if isinstance(given, LightField) else open_source(given)).with_center()
        if self.disparities is None and light_field.disparity_range is None:
            light_field = replace(light_field, disparity_range=estimate_disparity_range(light_field))
        if self.truth == "refocus" or self.with_defocus_map:
            light_field = replace(light_field, disparity=disparity_of(light_field, backend=self.backend))
        light_field = replace(
            light_field,
            views=_compact_light(light_field, self.device),
            transfer="linear",
            weights=None if light_field.weights is None else light_field.weights.to(self.device),
            disparity=None if light_field.disparity is None else light_field.disparity.to(self.device),
        )
        self._kept[scene] = light_field
        while len(self._kept) > self._cache:
            self._kept.popitem(last=False)
        return light_field

    @staticmethod
    def _disparity(light_field: LightField) -> Tensor:
        assert light_field.disparity is not None
        return light_field.disparity


def _compact_light(light_field: LightField, device: torch.device) -> Tensor:
    """Linear light that ``refocus`` reads as it is: 16 bits for 8-bit views (0.03 of a step lost), else float32."""
    views = light_field.views
    if light_field.transfer == "linear":
        return (views.float() if views.dtype == torch.float16 else views).to(device)
    if views.dtype != torch.uint8:
        return to_linear(views, light_field.transfer).float().to(device)
    levels = (to_linear(torch.arange(256, dtype=torch.uint8)[None], light_field.transfer)[0] * 65535).round().numpy()
    return torch.from_numpy(np.take(levels.astype(np.uint16), views.numpy(), mode="clip")).to(device)
