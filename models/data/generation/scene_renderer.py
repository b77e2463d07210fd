"""The pairs of one scene by a recipe: pictures as bytes, and a row of the manifest for each."""

import itertools
import math
import os
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO

import numpy as np
import torch
from torch import Tensor

from ...drawing.contact_sheet import Row, Tile, contact_sheet, disparity_label
from ...io.png import png
from ..depth.disparity import disparity_of
from ..depth.disparity_range import estimate_disparity_range
from ..depth.regularity import regular
from ..light_field import LightField
from ..rendering.defocus import STEPS, ZERO, aperture_diameter, defocus_map, encode_defocus
from ..rendering.exposure import expose
from ..rendering.planes import content_planes, even_planes
from ..rendering.truth import all_in_focus_light, center_light, difference_of_truths, enlarge_map
from ..transfer import encoded_values, quantise
from .manifest import PairRow, Seed, pair_key
from .recipe import Recipe

BUDGET = 256 << 20  # bytes of light that are rendered at once
TILE, COLUMNS = 240, 8  # width of a contact sheet's pictures, and how many of them are in a line at most


@dataclass(frozen=True)
class Picture:
    """A file of a scene: its kind, the aperture and plane it belongs to (None: the whole scene), and its bytes."""

    kind: str
    aperture: int | None
    plane: int | None
    suffix: str
    data: bytes


@dataclass
class Stages:
    """Seconds by stage, as a process passes through them, summed over processes."""

    seconds: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add({stage: time.perf_counter() - start})

    def add(self, more: dict[str, float]) -> None:
        with self._lock:
            for stage, seconds in more.items():
                self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def shares(self) -> str:
        """As text: ``read 20 %, encode 60 %, ...``."""
        total = sum(self.seconds.values()) or 1.0
        ordered = sorted(self.seconds.items(), key=lambda item: -item[1])
        return ", ".join(f"{stage} {100 * seconds / total:.0f} %" for stage, seconds in ordered)


class SceneRenderer:
    """Renders the pairs of one scene by a recipe.

    Args:
        light_field: the scene; ``disparity_range`` and ``disparity`` are estimated where it has none.
        recipe: every choice.
        source: where the scene came from, for the manifest.
        stages: is told the time of each stage.

    Attributes:
        planes: the disparities in focus, pixels per view step.
        rows: of the manifest, one per pair, without the names of files; whole once ``pictures`` has ended.

    Raises:
        LightFieldError: planes are not given, the files do not tell the range, and the views do not show it either.
        ValueError: an aperture covers no view.
    """

    def __init__(self, light_field: LightField, recipe: Recipe, *, source: str, stages: Stages) -> None:
        self.recipe, self.source, self.stages = recipe, source, stages
        light_field = regular(light_field).with_center()
        for aperture in recipe.apertures:
            aperture.weights(light_field.grid)  # its errors, before any work
        self._range_from = "given" if light_field.disparity_range is not None else "estimated"
        self._map_from = "ground truth" if light_field.disparity is not None else "estimated"
        single = light_field.grid == (1, 1)
        needs_range = recipe.disparities is None or (light_field.disparity is None and not single)
        with stages.time("disparity"):
            if light_field.disparity_range is None and needs_range:
                light_field = replace(light_field, disparity_range=estimate_disparity_range(light_field))
            # One view has no depth and no defocus: all of it is in focus.
            disparity = torch.zeros(light_field.size) if single else disparity_of(light_field)
            self.planes = _planes(light_field, recipe, disparity)
        with stages.time("refocus"):
            self._center = center_light(light_field, scale=recipe.scale)
            self._refocused = all_in_focus_light(_compared(light_field, recipe), disparity, scale=recipe.scale)
            middle = _middle(self._center, self._refocused.shape[0])
            self._truths_psnr = difference_of_truths(middle, self._refocused)
        self.light_field, self._disparity = light_field, enlarge_map(disparity, recipe.scale)
        self._diameters = [aperture_diameter(aperture, light_field.grid) for aperture in recipe.apertures]
        seed = [recipe.seed, zlib.crc32(light_field.scene.encode())]
        self._noise_seeds = np.random.default_rng(seed).integers(2**63, size=(len(recipe.apertures), len(self.planes)))
        self._tiles: dict[int | None, list[Tile]] = {}  # of each aperture; None: truths
        self.rows: list[PairRow] = []

    def pictures(self) -> Iterator[Picture]:
        """Every file of the scene as it is done: the pairs, then what they share."""
        with ThreadPoolExecutor(_threads()) as pool:
            truths = [pool.submit(self._encode, kind, None, None, light) for kind, light in self._truths().items()]
            for apertures, planes in self._chunks():
                pairs = [
                    (
                        a,
                        p,
                        [pool.submit(self._encode, kind, a, p, light) for kind, light in lights.items()],
                        pool.submit(self._encode_map, a, p) if self.recipe.defocus_maps else None,
                    )
                    for a, p, lights in self._expose(apertures, planes)
                ]
                for a, p, encoded, encoded_map in pairs:
                    for job in encoded:
                        with self.stages.time("encode"):
                            picture, pixels = job.result()
                        yield picture
                        if picture.kind == "defocused":
                            self._add_tile(a, pixels, disparity_label(self.planes[p]))
                    coc: tuple[float | None, float | None] = (None, None)
                    if encoded_map is not None:
                        with self.stages.time("encode"):
                            picture, coc = encoded_map.result()
                        yield picture
                    self.rows.append(self._row(a, p, *coc))
            for job in truths:
                with self.stages.time("encode"):
                    picture, pixels = job.result()
                yield picture
                refocused = "refocus" in (self.recipe.truth, picture.kind.removeprefix("truth_"))
                one, other = ("all views refocused", "the centre view")[:: 1 if refocused else -1]
                self._add_tile(None, pixels, f"truth: {one}", f"{self._truths_psnr:.1f} dB from {other}")
        if self.recipe.contact_sheets:
            with self.stages.time("contact sheet"):
                sheet = self._sheet()
            yield Picture("contact_sheet", None, None, ".jpg", sheet)

    def _truths(self) -> dict[str, Tensor]:
        truths = {"truth": self._refocused if self.recipe.truth == "refocus" else self._center}
        return truths | ({"truth_refocus": self._refocused} if self.recipe.truth == "both" else {})

    def _chunks(self) -> Iterator[tuple[list[int], list[int]]]:
        """All apertures and planes where the budget allows, else aperture by aperture, as many planes as it allows."""
        apertures, planes = len(self.recipe.apertures), len(self.planes)
        at_once = max(1, BUDGET // (4 * self._center.numel() * (3 if self.recipe.dual_pixel else 1)))
        if at_once >= apertures * planes:
            yield list(range(apertures)), list(range(planes))
            return
        for a in range(apertures):
            for start in range(0, planes, at_once):
                yield [a], list(range(start, min(start + at_once, planes)))

    def _expose(self, apertures: list[int], planes: list[int]) -> Iterator[tuple[int, int, dict[str, Tensor]]]:
        """The linear light of every picture of some pairs."""
        with self.stages.time("refocus"):
            exposure = expose(
                self.light_field,
                [self.planes[p] for p in planes],
                [self.recipe.apertures[a] for a in apertures],
                halves=self.recipe.dual_pixel,
                scale=self.recipe.scale,
                interpolation=self.recipe.interpolation,
            )
        for (i, a), (k, p) in itertools.product(enumerate(apertures), enumerate(planes)):
            one = exposure.at(i, k)
            if self.recipe.noise is not None:
                with self.stages.time("noise"):
                    one = one.with_noise(self.recipe.noise, int(self._noise_seeds[a, p]))
            with self.stages.time("refocus"):
                lights = {"defocused": one.light[0, 0]}
            if self.recipe.dual_pixel:
                lights["left"], lights["right"] = one.sides[0, :, 0]
            yield a, p, lights

    def _encode(self, kind: str, a: int | None, p: int | None, light: Tensor) -> tuple[Picture, np.ndarray]:
        """A picture's file, and its pixels ``[H, W, C]``. A truth that is a view keeps the view's own values."""
        recipe, light_field = self.recipe, self.light_field
        exact = kind == "truth" and recipe.truth != "refocus" and recipe.scale == 1
        if exact and light_field.transfer == "srgb" and not light_field.views.is_floating_point():
            pixels = encoded_values(light_field.center, recipe.bits)
        else:
            pixels = quantise(light, recipe.bits)
        return Picture(kind, a, p, ".png", png(pixels, recipe.compression)), pixels

    def _encode_map(self, a: int, p: int) -> tuple[Picture, tuple[float, float]]:
        """The file of a defocus map, and the least and the largest circle of confusion in pixels."""
        coc = self.recipe.scale * defocus_map(self._disparity, self.planes[p], self._diameters[a])
        pixels = encode_defocus(coc).numpy()[..., None]
        picture = Picture("defocus_map", a, p, ".png", png(pixels, self.recipe.compression))
        return picture, (float(coc.min()), float(coc.max()))

    def _row(self, a: int, p: int, coc_min: float | None, coc_max: float | None) -> PairRow:
        recipe, light_field, aperture = self.recipe, self.light_field, self.recipe.apertures[a]
        low, high = light_field.disparity_range or (None, None)
        height, width = self._center.shape[-2:]
        return PairRow(
            key=pair_key(light_field.scene, a + 1, p),
            scene=light_field.scene,
            source=self.source,
            format=light_field.format,
            aperture=str(aperture),
            aperture_shape=aperture.shape,
            disparity_range_from=self._range_from,
            disparity_map_from=self._map_from,
            truth_kind="refocus" if recipe.truth == "refocus" else "center",
            interpolation=recipe.interpolation,
            aperture_index=a + 1,
            plane_index=p,
            view_rows=light_field.grid[0],
            view_columns=light_field.grid[1],
            height=height,
            width=width,
            scale=recipe.scale,
            bits=recipe.bits,
            defocus_map_zero=ZERO,
            defocus_map_steps_per_pixel=STEPS,
            disparity=self.planes[p],
            aperture_radius=aperture.radius,
            aperture_softness=aperture.softness,
            aperture_diameter=self._diameters[a],
            disparity_low=low,
            disparity_high=high,
            coc_min=coc_min,
            coc_max=coc_max,
            truths_psnr_db=self._truths_psnr if math.isfinite(self._truths_psnr) else None,
            noise_shot=0.0 if recipe.noise is None else recipe.noise.shot,
            noise_read=0.0 if recipe.noise is None else recipe.noise.read,
            seed=Seed(recipe.seed),
            noise_seed=Seed(int(self._noise_seeds[a, p])),
        )

    def _add_tile(self, aperture: int | None, pixels: np.ndarray, label: str, note: str = "") -> None:
        if self.recipe.contact_sheets:
            with self.stages.time("contact sheet"):
                self._tiles.setdefault(aperture, []).append(Tile(_small(pixels), label, note))

    def _sheet(self) -> bytes:
        """The truths, then a row for each aperture, under its name."""
        rows = [Row(self._tiles[None])]
        for index, aperture in enumerate(self.recipe.apertures):
            rows.append(Row(self._tiles[index], f"aperture {index + 1}: {aperture}"))
        data = BytesIO()
        lines = -(-len(self.planes) // COLUMNS)  # of one aperture, of about the same length
        columns = max(2, -(-len(self.planes) // lines))
        sheet = contact_sheet(rows, columns=columns, tile_width=TILE, title=self.light_field.scene)
        sheet.save(data, "JPEG", quality=88)
        return data.getvalue()


def _planes(light_field: LightField, recipe: Recipe, disparity: Tensor) -> list[float]:
    """The focus planes of a scene."""
    if recipe.disparities is not None:
        return list(recipe.disparities)
    if recipe.placement == "content":
        return content_planes(light_field, disparity, recipe.planes)
    return even_planes(light_field.disparity_range or estimate_disparity_range(light_field), recipe.planes)


def _compared(light_field: LightField, recipe: Recipe) -> LightField:
    """What the second truth is made of: all channels where it is wanted, else the middle one, to compare them by."""
    if recipe.truth != "center":
        return light_field
    middle = light_field.views.shape[2] // 2
    return replace(light_field, views=light_field.views[:, :, middle : middle + 1])


def _middle(picture: Tensor, channels: int) -> Tensor:
    return picture if picture.shape[0] == channels else picture[picture.shape[0] // 2][None]


def _threads() -> int:
    return max(1, min(torch.get_num_threads(), os.cpu_count() or 1))


def _small(pixels: np.ndarray) -> Tensor:
    """A small copy, ``n x n`` pixels averaged into one. NumPy: torch's threads cost more than so small a sum."""
    step = max(1, pixels.shape[1] // TILE)
    height, width = (side // step * step for side in pixels.shape[:2])
    total = np.zeros((height // step, width // step, pixels.shape[2]), np.uint32)
    for y, x in np.ndindex(step, step):
        total += pixels[y:height:step, x:width:step]
    small = np.rint(total * (255 / (step**2 * np.iinfo(pixels.dtype).max))).astype(np.uint8)
    return torch.from_numpy(small).permute(2, 0, 1)
