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
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...drawing.contact_sheet import Tile, contact_sheet
from ...io.png import png
from ..light_field import LightField
from ..rendering.defocus import STEPS, ZERO, aperture_diameter, defocus_map, encode_defocus
from ..rendering.disparity_map import disparity_of
from ..rendering.disparity_range import estimate_disparity_range
from ..rendering.exposure import expose
from ..rendering.planes import content_planes, even_planes
from ..rendering.truth import all_in_focus_light, center_light, difference_of_truths, enlarge_map
from ..transfer import codes, quantise
from .recipe import Recipe

BUDGET = 256 << 20  # bytes of light that are rendered at once
TILE = 240  # width of a contact sheet's pictures


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


def planes_of(light_field: LightField, recipe: Recipe, disparity: Tensor | None = None) -> list[float]:
    """The focus planes of a scene.

    Raises:
        LightFieldError: none are given, the files do not tell the range, and it cannot be seen in the views either.
    """
    if recipe.disparities is not None:
        return list(recipe.disparities)
    if recipe.placement == "content":
        return content_planes(light_field, disparity_of(light_field) if disparity is None else disparity, recipe.planes)
    return even_planes(light_field.disparity_range or estimate_disparity_range(light_field), recipe.planes)


def scene_pairs(light_field: LightField, recipe: Recipe, stages: Stages) -> Iterator[Picture | list[dict[str, Any]]]:
    """Render a scene: every picture as it is done, and last the rows of the manifest, one per pair.

    Rows tell everything but the names of the files, which the layout adds.

    Raises:
        LightFieldError: no planes can be chosen. ValueError: an aperture covers no view.
    """
    light_field = light_field.with_center()
    grid = light_field.grid
    for aperture in recipe.apertures:
        aperture.weights(grid)  # its errors, before any work
    range_from = "given" if light_field.disparity_range is not None else "estimated"
    truth_from = "ground truth" if light_field.disparity is not None else "estimated"
    single = grid == (1, 1)
    needs_range = recipe.disparities is None or (light_field.disparity is None and not single)
    with stages.time("disparity"):
        if light_field.disparity_range is None and needs_range:
            light_field = replace(light_field, disparity_range=estimate_disparity_range(light_field))
        # One view has no depth and no defocus: all of it is in focus.
        disparity = torch.zeros(light_field.size) if single else disparity_of(light_field)
        planes = planes_of(light_field, recipe, disparity)
    with stages.time("refocus"):
        center = center_light(light_field, scale=recipe.scale)
        refocused = all_in_focus_light(_compared(light_field, recipe), disparity, scale=recipe.scale)
        difference = difference_of_truths(_middle(center, refocused.shape[0]), refocused)
    disparity = enlarge_map(disparity, recipe.scale)
    seed = [recipe.seed, zlib.crc32(light_field.scene.encode())]
    noise_seeds = np.random.default_rng(seed).integers(2**63, size=(len(recipe.apertures), len(planes)))
    rows: list[dict[str, Any]] = []
    tiles: list[Tile] = []
    with ThreadPoolExecutor(_threads()) as pool:

        def written(kind: str, a: int | None, p: int | None, light: Tensor) -> tuple[Picture, np.ndarray]:
            exact = kind == "truth" and recipe.truth != "refocus" and recipe.scale == 1
            if exact and light_field.transfer == "srgb" and not light_field.views.is_floating_point():
                pixels = codes(light_field.center, recipe.bits)
            else:
                pixels = quantise(light, recipe.bits)
            picture = Picture(kind, a, p, ".png", png(pixels, recipe.compression))
            return picture, pixels

        def mapped(a: int, p: int, focus: float, diameter: float) -> tuple[Picture, tuple[float, float]]:
            coc = recipe.scale * defocus_map(disparity, focus, diameter)
            pixels = encode_defocus(coc).numpy()[..., None]
            picture = Picture("defocus_map", a, p, ".png", png(pixels, recipe.compression))
            return picture, (float(coc.min()), float(coc.max()))

        truths = {"truth": refocused if recipe.truth == "refocus" else center}
        if recipe.truth == "both":
            truths["truth_refocus"] = refocused
        truth_jobs = [pool.submit(written, kind, None, None, light) for kind, light in truths.items()]
        for some_apertures, some_planes in _chunks(recipe, len(planes), center.numel()):
            with stages.time("refocus"):
                exposure = expose(
                    light_field,
                    [planes[p] for p in some_planes],
                    [recipe.apertures[a] for a in some_apertures],
                    halves=recipe.dual_pixel,
                    scale=recipe.scale,
                    interpolation=recipe.interpolation,
                )
            jobs = []
            for (i, a), (k, p) in itertools.product(enumerate(some_apertures), enumerate(some_planes)):
                one = exposure.one(i, k)
                if recipe.noise is not None:
                    with stages.time("noise"):
                        one = one.with_noise(recipe.noise, int(noise_seeds[a, p]))
                with stages.time("refocus"):
                    lights = {"defocused": one.whole[0, 0]}
                if recipe.dual_pixel:
                    lights["left"], lights["right"] = one.sides[0, :, 0]
                diameter = aperture_diameter(recipe.apertures[a], grid)
                pictures = [pool.submit(written, kind, a, p, light) for kind, light in lights.items()]
                map_job = pool.submit(mapped, a, p, planes[p], diameter) if recipe.defocus_maps else None
                jobs.append((a, p, diameter, pictures, map_job))
            for a, p, diameter, pictures, map_job in jobs:
                aperture = recipe.apertures[a]
                limits: tuple[float | None, float | None] = (None, None)
                for job in pictures:
                    with stages.time("encode"):
                        picture, pixels = job.result()
                    yield picture
                    if picture.kind == "defocused" and recipe.contact_sheets:
                        with stages.time("contact sheet"):
                            tiles.append(_tile(pixels, f"aperture {a + 1}, plane {planes[p]:+.2f}"))
                if map_job is not None:
                    with stages.time("encode"):
                        picture, limits = map_job.result()
                    yield picture
                rows.append(
                    {
                        "scene": light_field.scene,
                        "format": light_field.format,
                        "aperture_index": a + 1,
                        "plane_index": p,
                        "disparity": planes[p],
                        "aperture": str(aperture),
                        "aperture_shape": aperture.shape,
                        "aperture_radius": aperture.radius,
                        "aperture_softness": aperture.softness,
                        "aperture_diameter": diameter,
                        "coc_min": limits[0],
                        "coc_max": limits[1],
                        "noise_seed": int(noise_seeds[a, p]),
                        "height": center.shape[-2],
                        "width": center.shape[-1],
                    }
                )
        for job in truth_jobs[::-1]:
            with stages.time("encode"):
                picture, pixels = job.result()
            yield picture
            if recipe.contact_sheets:
                kind = "refocus" if "refocus" in (recipe.truth, picture.kind.removeprefix("truth_")) else "center"
                tiles.insert(0, _tile(pixels, f"truth ({kind}), {difference:.1f} dB from the other"))
    if recipe.contact_sheets:
        with stages.time("contact sheet"):
            yield Picture("contact_sheet", None, None, ".jpg", _sheet(light_field.scene, tiles, len(planes)))
    low, high = light_field.disparity_range or (None, None)
    common = {
        "view_rows": grid[0],
        "view_columns": grid[1],
        "disparity_low": low,
        "disparity_high": high,
        "disparity_range_from": range_from,
        "disparity_map_from": truth_from,
        "truth_kind": "refocus" if recipe.truth == "refocus" else "center",
        "truths_psnr_db": difference if math.isfinite(difference) else None,
        "defocus_map_zero": ZERO,
        "defocus_map_steps_per_pixel": STEPS,
        "noise_shot": 0.0 if recipe.noise is None else recipe.noise.shot,
        "noise_read": 0.0 if recipe.noise is None else recipe.noise.read,
        "scale": recipe.scale,
        "bits": recipe.bits,
        "interpolation": recipe.interpolation,
        "seed": recipe.seed,
    }
    yield [row | common for row in rows]


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


def _chunks(recipe: Recipe, planes: int, numbers: int) -> Iterator[tuple[list[int], list[int]]]:
    """All apertures and planes where the budget allows, else aperture by aperture, as many planes as it allows."""
    at_once = max(1, BUDGET // (4 * numbers * (3 if recipe.dual_pixel else 1)))
    if at_once >= len(recipe.apertures) * planes:
        yield list(range(len(recipe.apertures))), list(range(planes))
        return
    for a in range(len(recipe.apertures)):
        for start in range(0, planes, at_once):
            yield [a], list(range(start, min(start + at_once, planes)))


def _tile(pixels: np.ndarray, label: str) -> Tile:
    """A small copy, ``n x n`` pixels averaged into one. NumPy: torch's threads cost more than so small a sum."""
    step = max(1, pixels.shape[1] // TILE)
    height, width = (side // step * step for side in pixels.shape[:2])
    total = np.zeros((height // step, width // step, pixels.shape[2]), np.uint32)
    for y, x in np.ndindex(step, step):
        total += pixels[y:height:step, x:width:step]
    small = np.rint(total * (255 / (step**2 * np.iinfo(pixels.dtype).max))).astype(np.uint8)
    return Tile(torch.from_numpy(small).permute(2, 0, 1), label)


def _sheet(scene: str, tiles: list[Tile], planes: int) -> bytes:
    data = BytesIO()
    contact_sheet(tiles, columns=min(8, max(planes, 2)), tile_width=TILE, title=scene).save(data, "JPEG", quality=88)
    return data.getvalue()
