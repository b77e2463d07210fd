"""Points with colours, as a PLY file."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...io.atomic import atomic_path
from ..arguments import check_tensor
from ..light_field import LightField, LightFieldError, check_light_field
from ..rendering.truth import center_light
from ..transfer import quantise
from .camera import Camera

_RELIEF = 0.25  # of the picture's width: how deep a relief is


def write_points(
    path: str | Path,
    light_field: LightField,
    disparity: Tensor,
    camera: Camera | None = None,
    *,
    confidence: Tensor | None = None,
    least: float = 0.0,
) -> int:
    """Write every pixel of the centre view as a point with its colour: PLY, binary, little-endian.

    ``x`` goes to the right, ``y`` up, ``z`` towards the viewer, who stands at the origin. With a camera, in its unit;
    without, a relief: ``x`` and ``y`` are pixels from the middle, and the depth of the picture spans a quarter of its
    width, nearer with disparity. The file's header says which.

    Args:
        disparity: ``[H, W]``, pixels per view step.
        confidence: ``[H, W]``; points below ``least`` are left out, as infinitely far ones are.

    Returns: how many points there are.

    Raises:
        LightFieldError: another shape, or no point is left.
        OutputError: the file cannot be written.
    """
    check_light_field(light_field)
    height, width = light_field.size
    if camera is not None and not isinstance(camera, Camera):
        raise LightFieldError(f"camera: got {camera!r}, want a Camera (camera_of)")
    for name, given in {"disparity": disparity, **({} if confidence is None else {"confidence": confidence})}.items():
        check_tensor(name, given, "[H, W]")
        if list(given.shape) != [height, width]:
            raise LightFieldError(f"{name}: got shape {list(given.shape)}, want {[height, width]} as the views")
    values = disparity.detach().cpu().double()
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    x, y = x - (width - 1) / 2, (height - 1) / 2 - y
    if camera is not None:
        depth = camera.depth(values)
        places = torch.stack([x * depth / camera.focal_length, y * depth / camera.focal_length, -depth])
        unit = f"points in {camera.unit}"
    else:
        finite = values[torch.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.numel() else (0.0, 0.0)
        places = torch.stack([x, y, (values - low) / max(high - low, 1e-6) * _RELIEF * width])
        unit = "a relief, not to scale: x and y in pixels, z by disparity"
    kept = torch.isfinite(places).all(0)
    if confidence is not None:
        kept &= confidence.cpu() >= least
    if not bool(kept.any()):
        raise LightFieldError(f"{light_field.scene}: no point is left of {height * width}")
    colours = quantise(center_light(light_field).expand(3, -1, -1), 8)
    kind = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")]
    points = np.empty(int(kept.sum()), kind)
    for number, (name, _) in enumerate(kind):
        source = places[number].numpy() if number < 3 else colours[..., number - 3]
        points[name] = source[kept.numpy()]
    names = {"<f4": "float", "u1": "uchar"}
    properties = "\n".join(f"property {names[code]} {name}" for name, code in kind)
    scene = "".join(letter if letter.isprintable() else "?" for letter in light_field.scene)
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment {scene}: {unit}\n"
        f"element vertex {len(points)}\n{properties}\nend_header\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(header.encode("utf-8", "replace") + points.tobytes())
    return len(points)
