"""The layout of the 4D Light Field Benchmark: ``input_Cam000.png`` and so on, ``parameters.cfg``, the disparity map."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...io.pfm import write_pfm
from ..light_field import LightField
from ._layout import Layout, metadata_of
from ._pictures import plain_views, write_views

# The benchmark's own sections; whatever else is known stands in the last one.
_SECTIONS = {
    "intrinsics": ("image_resolution_x_px", "image_resolution_y_px", "focal_length_mm", "sensor_size_mm", "fstop"),
    "extrinsics": (
        "num_cams_x",
        "num_cams_y",
        "baseline_mm",
        "focus_distance_m",
        "center_cam_x_m",
        "center_cam_y_m",
        "center_cam_z_m",
        "center_cam_rx_rad",
        "center_cam_ry_rad",
        "center_cam_rz_rad",
        "offset",
    ),
    "meta": (),
}
_RESOLUTION = ("image_resolution_x_px", "image_resolution_y_px")
_OURS = ("disp_min", "disp_max", "num_cams_x", "num_cams_y", "view_step", "pixel_scale", *_RESOLUTION)


def write(light_field: LightField, path: Path) -> None:
    """16 bits stay 16 bits, which the benchmark's own files never have."""
    path.mkdir()
    columns = light_field.grid[1]
    write_views(path, plain_views(light_field), lambda v, u: f"input_Cam{v * columns + u:03d}.png")
    (path / "parameters.cfg").write_text(_parameters(light_field), encoding="utf-8")
    if light_field.disparity is not None:
        write_pfm(path / "gt_disp_lowres.pfm", light_field.disparity)


def losses(light_field: LightField) -> Iterator[str]:
    left_out = [key for key, value in metadata_of(light_field).items() if key not in _OURS and not _fits(key, value)]
    if left_out:
        yield f"hci holds numbers and single lines as metadata: left out {', '.join(left_out)}"


def _parameters(light_field: LightField) -> str:
    rows, columns = light_field.grid
    height, width = light_field.size
    told = {key: value for key, value in metadata_of(light_field).items() if _fits(key, value) and key not in _OURS}
    told |= _camera(light_field) | dict(zip(_RESOLUTION, (width, height), strict=True))
    told |= {"num_cams_x": columns, "num_cams_y": rows}
    if light_field.disparity_range is not None:
        told |= dict(zip(("disp_min", "disp_max"), light_field.disparity_range, strict=True))
    lines = []
    for section, names in _SECTIONS.items():
        lines.append(f"[{section}]")
        mine = names if names else tuple(told)
        lines += [f"{name} = {told.pop(name)}" for name in mine if name in told]
    return "\n".join(lines) + "\n"


def _camera(light_field: LightField) -> dict[str, float]:
    """Baseline and sensor of these views: other programs know nothing of ``view_step``, ``pixel_scale`` and crops."""
    told = light_field.metadata
    step, scale = told.get("view_step", 1), told.get("pixel_scale", 1)
    before = [side for side in map(told.get, _RESOLUTION) if isinstance(side, int)]
    whole = max(before) * scale if len(before) == 2 else max(light_field.size)
    factors = {"baseline_mm": step, "sensor_size_mm": max(light_field.size) / whole}
    return {
        name: told[name] * factor
        for name, factor in factors.items()
        if factor != 1 and isinstance(told.get(name), (int, float))
    }


def _fits(key: str, value: Any) -> bool:
    """Whether the file gives a value back as it is."""
    name = key == key.lower().strip() and not set(key) & set("=:#;[]\n") and key != ""
    if isinstance(value, bool) or not name:
        return False
    if isinstance(value, (int, float)):
        return math.isfinite(value)
    return isinstance(value, str) and value == value.strip() and value.isprintable() and not _is_number(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == ""
    return True


LAYOUT = Layout(
    "hci",
    write,
    order=10,
    writes="folder: `input_Cam000.png` ..., `parameters.cfg`, `gt_disp_lowres.pfm`",
    format="hci",
    transfer="srgb",
    keeps=("disparity", "disparity_range", "metadata"),
    owns=r"input_Cam\d+\.png|parameters\.cfg|gt_disp_lowres\.pfm",
    losses=losses,
)
