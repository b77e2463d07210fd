"""``lfdeblur depth``."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import LightField, ReadOptions
from ..data.depth.camera import Camera, camera_of, parse_camera
from ..data.depth.disparity import Disparity, estimate_disparity, pixels_between_planes
from ..data.depth.points import write_points
from ..data.depth.regularity import regular
from ..data.depth.scores import THRESHOLDS, disparity_scores
from ..data.readers.registry import read_as_told
from ..drawing.colour_map import coloured, with_legend
from ..drawing.contact_sheet import write_contact_sheet
from ..io.atomic import atomic_path, check_output_folder, make_output_folder
from ..io.images import write_image, write_pixels
from ..io.pfm import write_pfm
from .options import bad_option, device_of
from .output import say, warn

UNSURE = 0.05  # confidence below which a pixel says nothing of its own
OUTLIERS = 0.002  # share of the pixels at either end that have the colour of the rest's end
ON_THE_LIMITS = 0.1  # share of the sure pixels there from which the scene is taken to go on beyond
ON = 0.01  # pixels from a limit that are on it
_LEVELS = 65535
_WIDTH, _HEIGHT = 320, 2048  # pixels of the coloured picture: small maps are enlarged to that


def depth(
    *,
    light_field: Path,
    out: Path,
    limits: str | None,
    points: bool,
    least: float,
    camera: str | None,
    device: str,
    read_options: ReadOptions,
    dry_run: bool,
) -> None:
    """Do what ``commands/depth.py`` declares."""
    with bad_option():
        ends = None if limits is None else _ends(limits)
        told = None if camera is None else parse_camera(camera)
    where = device_of(device)
    check_output_folder(out)
    field = read_as_told(light_field, read_options)
    if field.positions is not None:
        field = regular(field)
        say("views are warped to an exact grid, from where their cameras stood")
    field = field.with_center()
    seen = told or camera_of(field)
    if dry_run:
        rows, columns = field.grid
        say(f"{field.scene}: {rows}x{columns} views of {field.size[1]}x{field.size[0]} pixels, on {where.type}")
        say(f"would write {', '.join(_names(seen, points=points))} to {out}")
        return
    moved = field.copy(views=field.views.to(where), weights=field.weights)
    found = estimate_disparity(moved, ends)
    found = Disparity(found.disparity.cpu(), found.confidence.cpu(), found.limits)
    make_output_folder(out)
    _write(out, field, found, seen)
    names = _names(seen, points=False)
    _report(field, found, seen, self_chosen=ends is None and field.disparity_range is None)
    if points:
        count = write_points(out / "points.ply", field, found.disparity, seen, confidence=found.confidence, least=least)
        names.append(f"points.ply ({count} points{'' if seen else ', a relief, not to scale'})")
    say(f"{', '.join(names)} in {out}")


def _names(camera: Camera | None, *, points: bool) -> list[str]:
    names = ["disparity.pfm", "disparity.png", "disparity_coloured.png", "confidence.png", "depth.json"]
    if camera is not None:
        names.append(f"depth.pfm ({camera.unit})")
    return [*names, "points.ply"] if points else names


def _ends(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = 1.0, 0.0
    if not -1e4 <= ends[0] <= ends[1] <= 1e4:
        raise ValueError(f"--limits: got {text!r}, want LOW:HIGH in pixels per view step, for example -2:2")
    return ends


def _write(out: Path, field: LightField, found: Disparity, camera: Camera | None) -> None:
    low, high = _range(found.disparity)
    write_pfm(out / "disparity.pfm", found.disparity)
    share = (found.disparity - low) / max(high - low, 1e-9)
    write_pixels(out / "disparity.png", (share * _LEVELS).round().numpy().astype(np.uint16)[..., None])
    ends = _spanned(found)
    black = (field.center == 0).all(0).cpu() & (found.confidence < UNSURE)
    note = "nearer is brighter" + ("; grey: black, nothing to see" if bool(black.any()) else "")
    sheet = with_legend(_enlarged(coloured(found.disparity, *ends, ~black)), *ends, "px/view", note)
    write_contact_sheet(out / "disparity_coloured.png", sheet)
    write_image(out / "confidence.png", found.confidence[None], bits=8)
    facts: dict[str, Any] = {
        "scene": field.scene,
        "format": field.format,
        "size": list(field.size),
        "limits": list(found.limits),
        "disparity": {"lowest": low, "median": float(found.disparity.median()), "highest": high},
        "disparity.png": {"0": low, str(_LEVELS): high},
        "unit": "pixels per view step, positive is nearer",
        "confidence": {"mean": float(found.confidence.mean()), "sure": _share(found.confidence >= UNSURE)},
        "camera": None if camera is None else {**asdict(camera), "focus": _finite(camera.focus)},
    }
    if field.disparity is not None:
        facts["against the true disparity"] = disparity_scores(found.disparity, field.disparity)
    if camera is not None:
        metric = camera.depth(found.disparity)
        write_pfm(out / "depth.pfm", metric)
        finite = metric[torch.isfinite(metric)]
        if finite.numel():
            facts["depth"] = {"nearest": float(finite.min()), "farthest": float(finite.max()), "unit": camera.unit}
    with atomic_path(out / "depth.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _report(field: LightField, found: Disparity, camera: Camera | None, *, self_chosen: bool) -> None:
    """``self_chosen``: nobody told the limits, so that nobody needs to hear that the scene reaches them."""
    sure = found.confidence >= UNSURE
    low, high = _spanned(found)
    say(f"disparity {low:.2f} to {high:.2f} pixels per view step; {100 * _share(sure):.0f} % of the pixels are sure")
    if field.disparity is not None:
        mse, *bad = disparity_scores(found.disparity, field.disparity).values()
        shares = ", ".join(f"{limit:g}: {share:.2f} %" for limit, share in zip(THRESHOLDS, bad, strict=True))
        say(f"against the true disparity: MSE x 100 {mse:.2f}; BadPix {shares}")
    if camera is None:
        say("no depth in metres: the files tell no baseline and focal length (--camera does)")
    beyond = found.disparity[sure] <= found.limits[0] + ON, found.disparity[sure] >= found.limits[1] - ON
    looked_around = not self_chosen and found.limits[1] - found.limits[0] > 2 * ON  # else all lies on them
    for there, end, limit in zip(beyond, ("lower", "upper"), found.limits, strict=True):
        if looked_around and _share(there) > ON_THE_LIMITS:
            warn(
                f"{100 * _share(there):.0f} % of the sure pixels lie on the {end} limit of {limit:g}: the scene goes "
                "on beyond it (--limits)"
            )
    apart = pixels_between_planes(field, found.limits)
    if apart > 1:
        low, high = found.limits
        warn(
            f"planes from {low:g} to {high:g} are {apart:.1f} pixels apart in the outermost views, which is too coarse "
            "for fine texture (narrower --limits)"
        )
    if not bool(sure.any()):
        warn("no pixel is sure: flat or repeating surfaces, or views that do not match")


def _enlarged(picture: Tensor) -> Tensor:
    """A small picture ``[C, H, W]``, each pixel as a square, so that the legend below it can be read."""
    height, width = picture.shape[1:]
    times = max(1, min(math.ceil(_WIDTH / width), _HEIGHT // height))
    return picture.repeat_interleave(times, 1).repeat_interleave(times, 2)


def _range(disparity: Tensor, left_out: float = 0.0) -> tuple[float, float]:
    """Lowest and highest, a share of the pixels left out at either end."""
    ordered = disparity.flatten().sort().values
    tail = int(left_out * len(ordered))
    return float(ordered[tail]), float(ordered[len(ordered) - 1 - tail])


def _spanned(found: Disparity) -> tuple[float, float]:
    """What the scene spans: outliers do not count, nor, where anything is sure, what is not."""
    sure = found.confidence >= UNSURE
    return _range(found.disparity[sure] if bool(sure.any()) else found.disparity, OUTLIERS)


def _share(these: Tensor) -> float:
    return float(these.float().mean()) if these.numel() else 0.0


def _finite(value: float) -> float | None:
    """JSON knows no infinity."""
    return value if value < float("inf") else None
