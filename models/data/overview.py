"""A light field on one page: all its views, its centre, epipolar images and true disparity."""

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..drawing.contact_sheet import Tile, contact_sheet, thumbnail
from .light_field import LightField
from .transfer import linear_to_srgb, to_linear

MARK, LEFT_OUT = (255, 190, 60), (230, 60, 60)
_TILE, _EPI_HEIGHT = 900, 160  # pixels


def overview(light_field: LightField) -> Image.Image:
    """Draw the views, the middle one with the lines of the epipolar images, both of these, and the disparity map.

    Views of weight 0 have a red frame. In the epipolar images a row is a view, in the order of ``LightField``; lines
    that lean to the left going down are nearer than the plane of zero disparity.
    """
    views, weights = light_field.views, light_field.weights
    rows, columns = light_field.grid
    height, width = light_field.size
    row, column, y, x = rows // 2, columns // 2, height // 2, width // 2
    middle = thumbnail(_shown(views[row, column], light_field), _TILE)
    ratio = middle.shape[2] / width
    middle = middle.expand(3, -1, -1).clone()
    thickness = max(1, round(ratio))
    for at, dim in ((round(y * ratio), 1), (round(x * ratio), 2)):
        at = min(at, middle.shape[dim] - thickness)
        middle.narrow(dim, at, thickness).copy_(_colour(MARK))
    named = "the centre view" if rows % 2 and columns % 2 else f"the view at row {row}, column {column}"
    tiles = [
        Tile(_mosaic(light_field), f"{rows}x{columns} views", _note(weights)),
        Tile(middle, named, "with the lines of the epipolar images"),
        Tile(
            _epipolar(views[row, :, :, y], light_field),
            f"epipolar image along x, at y = {y}",
            f"from top to bottom: the views of row {row} from left to right",
        ),
        Tile(
            _epipolar(views[:, column, :, :, x], light_field),
            f"epipolar image along y, at x = {x}",
            f"from top to bottom: the views of column {column} from top to bottom",
        ),
    ]
    if light_field.disparity is not None:
        disparity = light_field.disparity
        finite = disparity[torch.isfinite(disparity)]
        low, high = (finite.min().item(), finite.max().item()) if finite.numel() else (0.0, 0.0)
        grey = ((disparity.nan_to_num(low) - low) / max(high - low, 1e-6)).clamp(0, 1)[None]
        tiles.append(Tile(grey, "true disparity", f"black {low:.2f} to white {high:.2f} pixels per view step"))
    title = f"{light_field.scene} ({light_field.format}); epipolar lines that lean to the left going down are nearer"
    return contact_sheet(tiles, columns=2, tile_width=_TILE, title=title)


def _note(weights: Tensor | None) -> str:
    dark = 0 if weights is None else int((weights == 0).sum())
    return f"{dark} with weight 0, left out (red frame)" if dark else "all are used"


def _shown(pixels: Tensor, light_field: LightField) -> Tensor:
    """Any stored values as sRGB in [0, 1]."""
    if light_field.transfer == "linear":
        return linear_to_srgb(to_linear(pixels, "linear").float().clamp(0, 1))
    return pixels.float() / {torch.uint8: 255.0, torch.uint16: 65535.0}.get(pixels.dtype, 1.0)


def _colour(rgb: tuple[int, int, int]) -> Tensor:
    return torch.tensor(rgb, dtype=torch.uint8)[:, None, None]


def _mosaic(light_field: LightField) -> Tensor:
    rows, columns = light_field.grid
    step = max(8, _TILE // columns)
    lines = []
    for row in range(rows):
        line = []
        for column in range(columns):
            small = thumbnail(_shown(light_field.views[row, column], light_field), step - 2).expand(3, -1, -1)
            left_out = light_field.weights is not None and light_field.weights[row, column] == 0
            framed = F.pad(small, (1, 1, 1, 1))
            if left_out:
                frame = torch.ones(framed.shape[1:], dtype=torch.bool)
                frame[2:-2, 2:-2] = False
                framed = torch.where(frame, _colour(LEFT_OUT), framed)
            line.append(framed)
        lines.append(torch.cat(line, 2))
    return torch.cat(lines, 1)


def _epipolar(lines: Tensor, light_field: LightField) -> Tensor:
    """``[N, C, L]``, the same line of N views, as a picture ``[C, N*k, L]``."""
    picture = _shown(lines, light_field).transpose(0, 1)
    return picture.repeat_interleave(max(1, _EPI_HEIGHT // picture.shape[1]), 1)
