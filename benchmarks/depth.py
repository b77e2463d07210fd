"""Depth of a scene whose truth is known: errors and time of ``estimate_disparity``, beside simpler and slower ways.

    python -m benchmarks.depth SCENE [--json FILE]     SCENE: of the 4D Light Field Benchmark, with gt_disp_lowres.pfm
    python -m benchmarks.depth --page                  the results that are kept, into docs/depth.md

The simpler way takes the plane of least variance over the views, by ``lfdeblur_ops.refocus`` and in NumPy as it is
usually written. The slower one is the method of ``estimate_disparity`` in NumPy, but for its refinement.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import lfdeblur_ops
from lfdeblur_models.data import (
    LightField,
    all_in_focus_light,
    center_light,
    difference_of_truths,
    disparity_scores,
    estimate_disparity,
    read_light_field,
    refocus_light,
)
from lfdeblur_models.data.depth.edge_aware import NEAR
from lfdeblur_models.data.depth.search import EDGE, JUMP, LIKENESS, SLOPE, WHOLE, WINDOW
from lfdeblur_models.data.rendering.sides import sides_of

from ._machine import describe
from ._tables import between, machine_line

RESULTS = Path(__file__).parents[1] / "docs" / "data" / "depth.json"
PAGE = Path(__file__).parents[1] / "docs" / "depth.md"
STEP = 0.1  # pixels per view step between planes
RUNS = 3
AGREED = 0.1  # of a plane's spacing: nine tenths of the two forms of the sweep differ less


def sweep(light_field: LightField, planes: Tensor) -> Tensor:
    """The plane of least variance over all views, refined by a parabola."""

    def variance(plane: float) -> np.ndarray:
        return lfdeblur_ops.refocus(light_field.views, plane, reduce="moments")[1].sum(0).numpy()

    return _least(variance, planes)


def numpy_sweep(light_field: LightField, planes: Tensor) -> Tensor:
    """The same in NumPy: every view shifted by slices, bilinear, its border replicated."""
    views = light_field.views.numpy().astype(np.float32) / 255

    def variance(plane: float) -> np.ndarray:
        total = np.zeros(views.shape[2:], np.float32)
        squares = np.zeros_like(total)
        for v, u, down, right in _places(views, plane):
            seen = _shifted(views[v, u], down, right, _linear)
            total += seen
            squares += seen * seen
        mean = total / (views.shape[0] * views.shape[1])
        return (squares / (views.shape[0] * views.shape[1]) - mean * mean).sum(0)

    return _least(variance, planes)


def numpy_method(light_field: LightField, planes: Tensor) -> Tensor:
    """The sides of the aperture, windows of like colour, and agreement of neighbours, in NumPy."""
    views = light_field.views.numpy().astype(np.float32) / 255
    rows, columns, channels, height, width = views.shape
    center = views[rows // 2, columns // 2]
    guide = center / np.quantile(center, 0.99)
    contrast = sum(np.abs(np.diff(center, axis=axis)).sum(0).mean() for axis in (1, 2))
    sides = sides_of(torch.ones(rows, columns))
    pieces, shares = sides.pieces.numpy(), sides.shares.numpy()
    reach = WINDOW // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)

    def around(picture: np.ndarray, dy: int, dx: int) -> np.ndarray:
        padded = np.pad(picture, [(0, 0)] * (picture.ndim - 2) + [(reach, reach)] * 2, mode="edge")
        return padded[..., reach + dy : reach + dy + height, reach + dx : reach + dx + width]

    taps = [
        np.exp(-((around(guide, dy, dx) - guide) ** 2).sum(0) / (2 * LIKENESS**2) - (dy * dy + dx * dx) / (2 * NEAR**2))
        for dy, dx in zip(y, x, strict=True)
    ]
    whole = sum(taps)
    costs = np.empty((height, width, len(planes)), np.float32)
    for index, plane in enumerate(planes.tolist()):
        sums = np.zeros((len(pieces), channels, height, width), np.float32)
        for v, u, down, right in _places(views, plane):
            seen = _shifted(views[v, u], down, right, _cubic)
            for piece in np.flatnonzero(pieces[:, v, u]):
                sums[piece] += pieces[piece, v, u] * seen
        sums = sums / pieces.sum((1, 2))[:, None, None, None] - center
        differences = np.abs(np.tensordot(shares, sums, 1)).sum(1)
        differences[-1] *= WHOLE
        judged = sum(tap * around(differences, dy, dx) for tap, dy, dx in zip(taps, y, x, strict=True)) / whole
        costs[..., index] = judged.min(0)
    paths = np.zeros_like(costs)
    slope, jump = SLOPE * contrast, JUMP * contrast
    for axis in (0, 1):
        ties = np.exp(-np.abs(np.diff(guide, axis=axis + 1)).sum(0) / EDGE)
        jumps = np.moveaxis(slope + (jump - slope) * ties, axis, 0)[..., None]
        lines, sums = np.moveaxis(costs, axis, 0), np.moveaxis(paths, axis, 0)
        for turn in (1, -1):
            path = lines[::turn][0]
            sums[::turn][0] += path
            for line, total, most in zip(lines[::turn][1:], sums[::turn][1:], jumps[::turn], strict=True):
                least = path.min(1, keepdims=True)
                beside = np.pad(path, ((0, 0), (1, 1)), constant_values=np.inf)
                onward = np.minimum(beside[:, 2:], beside[:, :-2]) + slope
                path = np.minimum(np.minimum(onward, path), least + most) - least + line
                total += path
    return _refined(np.moveaxis(paths, 2, 0), planes)


def _places(views: np.ndarray, plane: float) -> Iterator[tuple[int, int, float, float]]:
    """Row and column of every view, and how far down and to the right it shows what the centre sees."""
    rows, columns = views.shape[:2]
    for v in range(rows):
        for u in range(columns):
            yield v, u, -plane * (v - (rows - 1) / 2), -plane * (u - (columns - 1) / 2)


def _linear(part: float) -> list[float]:
    return [0.0, 1 - part, part, 0.0]


def _cubic(part: float) -> list[float]:
    """Keys' kernel, a = -0.5."""
    away = np.array([1 + part, part, 1 - part, 2 - part])
    near, far = (1.5 * away - 2.5) * away**2 + 1, ((-0.5 * away + 2.5) * away - 4) * away + 2
    return np.where(away <= 1, near, far).tolist()


def _shifted(view: np.ndarray, down: float, right: float, kernel: Callable[[float], list[float]]) -> np.ndarray:
    """``view(y + down, x + right)``, its border replicated."""
    top, left = math.floor(down), math.floor(right)
    margin = max(abs(top), abs(left)) + 2
    padded = np.pad(view, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    for axis, start, part in ((1, margin + top - 1, down - top), (2, margin + left - 1, right - left)):
        length = view.shape[axis]
        (first, weight), *others = [(tap, np.float32(weight)) for tap, weight in enumerate(kernel(part)) if weight]
        slices = [slice(None)] * 3
        slices[axis] = slice(start + first, start + first + length)
        total = weight * padded[tuple(slices)]
        for tap, weight in others:
            slices[axis] = slice(start + tap, start + tap + length)
            total += weight * padded[tuple(slices)]
        padded = total
    return padded


def _least(cost_of: Callable[[float], np.ndarray], planes: Tensor) -> Tensor:
    return _refined(np.stack([cost_of(plane) for plane in planes.tolist()]), planes)


def _refined(costs: np.ndarray, planes: Tensor) -> Tensor:
    """The plane of least costs ``[D, H, W]``, and a part of one by a parabola."""
    index = costs.argmin(0).clip(1, len(planes) - 2)[None]
    before, at, after = (np.take_along_axis(costs, index + k, 0)[0] for k in (-1, 0, 1))
    bend = np.maximum(before - 2 * at + after, 1e-12)
    part = ((before - after) / (2 * bend)).clip(-0.5, 0.5)
    spacing = float(planes[1] - planes[0])
    return planes[torch.from_numpy(index[0])] + spacing * torch.from_numpy(part)


def measure(light_field: LightField) -> list[dict[str, Any]]:
    """Rows of results: what, seconds (median), the benchmark's scores."""
    truth, limits = light_field.disparity, light_field.disparity_range
    assert truth is not None
    assert limits is not None
    low, high = limits
    count = round((high - low) / STEP) + 3
    planes = torch.linspace(low - STEP, high + STEP, count)
    ways: dict[str, tuple[int, Callable[[], Tensor]]] = {
        "estimate_disparity": (RUNS, lambda: estimate_disparity(light_field).disparity),
        "least variance, lfdeblur_ops.refocus": (RUNS, lambda: sweep(light_field, planes)),
        "least variance, NumPy": (1, lambda: numpy_sweep(light_field, planes)),
        "estimate_disparity's method without refinement, NumPy": (1, lambda: numpy_method(light_field, planes)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    maps: dict[str, Tensor] = {}
    estimate_disparity(light_field.crop(y=slice(0, min(64, light_field.size[0]))))  # what is made once
    for turn in range(RUNS):
        for name, (runs, way) in ways.items():
            if turn < runs:
                start = time.perf_counter()
                maps[name] = way()
                seconds[name].append(time.perf_counter() - start)
    ours, theirs = maps["least variance, lfdeblur_ops.refocus"], maps["least variance, NumPy"]
    if ((ours - theirs).abs() > AGREED * STEP).float().mean() > 0.1:
        raise SystemExit("the sweep and its NumPy form do not agree")
    return [
        {"what": name, "seconds": round(statistics.median(seconds[name]), 3), **disparity_scores(maps[name], truth)}
        for name in ways
    ]


def focus(light_field: LightField) -> dict[str, float]:
    """PSNR in dB from the centre view of pictures in which all is in focus by the true disparity."""
    truth, center = light_field.disparity, center_light(light_field)
    assert truth is not None
    every = torch.ones(1, *light_field.grid)
    plain = refocus_light(light_field, truth, every, interpolation="bicubic")[0]
    pictures = {"all_in_focus_light": all_in_focus_light(light_field, truth), "mean of all views": plain}
    return {name: round(difference_of_truths(center, picture), 2) for name, picture in pictures.items()}


def table(kept: dict[str, Any]) -> str:
    """The results as they stand in the page."""
    rows = kept["rows"]
    numpy = rows[-1]["seconds"]
    lines = [
        machine_line(kept["machine"]) + f"; {kept['scene']}, {kept['size']}.",
        "",
        "| what | seconds | MSE x 100 | BadPix 0.07 | BadPix 0.03 | BadPix 0.01 | times the last row's speed |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        bad = " | ".join(f"{row[f'badpix_{limit}']:.2f} %" for limit in ("0.07", "0.03", "0.01"))
        lines.append(
            f"| {row['what']} | {row['seconds']:.2f} | {row['mse_100']:.2f} | {bad} | {numpy / row['seconds']:.1f} |"
        )
    told = ", ".join(f"{name} {decibels:.1f} dB" for name, decibels in kept["focus"].items())
    lines += ["", f"All in focus by the true disparity, against the centre view: {told}."]
    return "\n".join(lines) + "\n"


def updated(text: str, kept: dict[str, Any]) -> str:
    """The page with these results."""
    return between(text, "depth", table(kept))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path, nargs="?")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    told = parser.parse_args()
    if told.page:
        PAGE.write_text(updated(PAGE.read_text(), json.loads(RESULTS.read_text())))
        return
    if told.scene is None:
        parser.error("want a SCENE of the 4D Light Field Benchmark")
    light_field = read_light_field(told.scene)
    if light_field.disparity is None:
        parser.error(f"{told.scene}: has no gt_disp_lowres.pfm")
    rows, columns, channels, height, width = light_field.shape
    size = f"{rows}x{columns}x{channels}x{height}x{width}"
    kept = {"machine": describe("cpu"), "scene": light_field.scene, "size": size, "rows": measure(light_field)}
    kept["focus"] = focus(light_field)
    print(table(kept))
    if told.json:
        told.json.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
