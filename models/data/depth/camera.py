"""Metres from disparity, where baseline and focal length are known."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from ..light_field import LightField, LightFieldError, check_light_field


@dataclass(frozen=True)
class Camera:
    """How views on a grid were taken: parallel optical axes, pictures shifted so that one distance has disparity 0.

    Attributes:
        baseline: distance of neighbouring views, above 0.
        focal_length: pixels, above 0.
        focus: distance of what has disparity 0, in the unit of ``baseline``; infinite where pictures are not shifted.
        unit: of ``baseline``, ``focus`` and the depth: ``m`` or what the files say.

    Raises: LightFieldError: a number that is not above 0.
    """

    baseline: float
    focal_length: float
    focus: float = math.inf
    unit: str = "m"

    def __post_init__(self) -> None:
        for name in ("baseline", "focal_length", "focus"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not float(value) > 0 or (name != "focus" and math.isinf(value)):
                raise LightFieldError(f"{name}: got {value!r}, want a number above 0")

    @property
    def infinity(self) -> float:
        """Disparity of what is infinitely far, pixels per view step: 0 or below."""
        return -self.baseline * self.focal_length / self.focus

    def depth(self, disparity: Tensor) -> Tensor:
        """Distance along the optical axis, in ``unit``; infinite where the disparity is that of infinity or below.

        ``baseline * focal_length / (disparity - infinity)``, as the 4D Light Field Benchmark has it.
        """
        apart = disparity - self.infinity
        return torch.where(apart > 0, self.baseline * self.focal_length / apart, math.inf)

    def disparity(self, depth: Tensor) -> Tensor:
        """The other way round, pixels per view step."""
        return self.baseline * self.focal_length / depth + self.infinity


def parse_camera(text: str) -> Camera:
    """Read ``BASELINE,FOCAL,FOCUS``: metres between views, pixels, metres of disparity 0 (``inf``: none).

    Raises ValueError.
    """
    try:
        baseline, focal_length, focus = (float(part) for part in text.split(","))
        return Camera(baseline, focal_length, focus)
    except ValueError as error:  # LightFieldError is one
        why = f" ({error})" if isinstance(error, LightFieldError) else ""
        raise ValueError(
            f"camera: got {text!r}, want BASELINE,FOCAL,FOCUS in metres, pixels, metres, for example 0.01,1200,inf{why}"
        ) from None


def camera_of(light_field: LightField) -> Camera | None:
    """The camera that the files tell of, or None.

    ``hci``: baseline, focal length, sensor and focus of ``parameters.cfg``, in metres. ``hci-old``: ``dH``,
    ``focalLength`` and ``shift``, in the unit of its depth.
    """
    check_light_field(light_field)
    told = light_field.metadata
    step, scale = told.get("view_step", 1), told.get("pixel_scale", 1)  # as LightField.sub and resize leave them
    try:
        baseline, focal, sensor, focus = _numbers(
            told, "baseline_mm", "focal_length_mm", "sensor_size_mm", "focus_distance_m"
        )
        width, height = (told.get(f"image_resolution_{axis}_px") for axis in "xy")
        side = max(width, height) if width and height else max(light_field.size) / scale
        return Camera(baseline / 1000 * step, focal / sensor * side * scale, focus)
    except (KeyError, TypeError, LightFieldError, ZeroDivisionError):
        pass
    try:
        baseline, focal, shift = _numbers(told, "dH", "focalLength", "shift")
        focus = baseline * focal / shift if shift else math.inf
        return Camera(baseline * step, focal * scale, focus, "the file's unit")
    except (KeyError, LightFieldError):
        return None


def _numbers(told: dict[str, Any], *names: str) -> list[float]:
    """Raises KeyError where one is missing or no number."""
    values = [told[name] for name in names]
    if not all(isinstance(value, Real) for value in values):
        raise KeyError
    return [float(value) for value in values]
