"""Frames for the screen: pictures of a light field while its settings move, and epipolar images."""

import io
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from ...data import LightField, LightFieldError
from ...data.shown import display_values
from ...system.memory import trim
from ..session import Frame
from .exhibit import LightFieldExhibit
from .settings import Settings

DRAFT_QUALITY, FULL_QUALITY = 85, 95  # of JPEG; full ones keep the resolution of colours


class LightFieldFrames:
    """Draws what pages ask for.

    Args:
        exhibits: by their ids.
    """

    def __init__(self, exhibits: Mapping[str, LightFieldExhibit]) -> None:
        self._exhibits = exhibits

    def draft(self, request: dict[str, Any]) -> list[Frame]:
        """A picture by ``Shot.draft``, while something moves."""
        begun = perf_counter()
        exhibit, settings = self._of(request), Settings.of(request)
        if settings.all_in_focus:
            picture = settings.shot.draft(exhibit.centred, exhibit.disparity())
        else:
            picture = settings.shot.draft(exhibit.light_field, settings.disparity)
        return [_frame(picture, True, begun)]

    def full(self, request: dict[str, Any]) -> list[Frame]:
        """The picture that would be saved."""
        begun = perf_counter()
        exhibit, settings = self._of(request), Settings.of(request)
        frame = _frame(picture_of(exhibit, settings), False, begun)
        trim()  # nothing moves now: what pictures took goes back to the system
        return [frame]

    def epipolar(self, request: dict[str, Any]) -> list[Frame]:
        """Through a pixel: the line along x of the middle row of views, and along y of their middle column."""
        field = self._of(request).light_field
        (rows, columns), (height, width) = field.grid, field.size
        try:
            x, y = int(request["x"]), int(request["y"])
        except (KeyError, TypeError, ValueError, OverflowError):
            x = y = -1
        if not (0 <= x < width and 0 <= y < height):
            raise LightFieldError(
                f"epipolar: got x={request.get('x')!r:.40} y={request.get('y')!r:.40}, want a pixel of {width}x{height}"
            )
        across = _shown(field.views[rows // 2, :, :, y], field).permute(0, 2, 1)  # [U, W, C]
        down = _shown(field.views[:, columns // 2, :, :, x], field).permute(2, 0, 1)  # [H, V, C]
        return [
            Frame({"kind": "epipolar", "direction": "across", "at": y}, _png(across)),
            Frame({"kind": "epipolar", "direction": "down", "at": x}, _png(down)),
        ]

    def _of(self, request: Mapping[str, Any]) -> LightFieldExhibit:
        exhibit = self._exhibits.get(str(request.get("light_field")))
        if exhibit is None:
            raise LightFieldError(f"light_field: got {request.get('light_field')!r}, which is not shown here")
        return exhibit


def picture_of(exhibit: LightFieldExhibit, settings: Settings) -> Tensor:
    """``[C, H, W]`` float32 in [0, 1], sRGB: what ``lfdeblur refocus`` writes with these settings."""
    if settings.all_in_focus:
        return settings.shot.all_in_focus(exhibit.centred, exhibit.disparity())
    return settings.shot.on_planes(exhibit.light_field, [settings.disparity])[0]


def _frame(picture: Tensor, draft: bool, begun: float) -> Frame:
    quality = {"quality": DRAFT_QUALITY} if draft else {"quality": FULL_QUALITY, "subsampling": 0}
    file = io.BytesIO()
    _pillow(picture.mul(255).round_().permute(1, 2, 0)).save(file, "JPEG", **quality)
    milliseconds = 1000 * (perf_counter() - begun)
    return Frame({"kind": "picture", "draft": draft, "milliseconds": round(milliseconds, 1)}, file.getvalue())


def _shown(pixels: Tensor, field: LightField) -> Tensor:
    """Stored values as sRGB from 0 to 255."""
    return display_values(pixels, field.transfer).clamp(0, 1).mul(255).round()


def _png(picture: Tensor) -> bytes:
    file = io.BytesIO()
    _pillow(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _pillow(picture: Tensor) -> Image.Image:
    """``[H, W, C]`` from 0 to 255."""
    values = np.ascontiguousarray(picture.cpu().numpy().astype(np.uint8))
    return Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
