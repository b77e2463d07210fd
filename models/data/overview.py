"""A light field on one page: all its views, its centre, epipolar images, and its disparity."""

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..drawing.colour_map import coloured
from ..drawing.contact_sheet import Row, Scale, Tile, contact_sheet, thumbnail
from .light_field import LightField, LightFieldError
from .shown import display_values

MARK, LEFT_OUT = (255, 190, 60), (230, 60, 60)
SURE = 0.05  # confidence from which a disparity is shown
_WIDE, _NARROW, _EPI_HEIGHT = 900, 620, 200  # pixels: a tile of two in a row, of three, an epipolar image
_LINE = 2  # pixels, of the marks in the centre view
_OUTLIERS = 0.01  # share of the pixels at either end of a disparity map that have the colours of the ends


def overview(light_field: LightField, disparity: Tensor | None = None, confidence: Tensor | None = None) -> Image.Image:
    """Draw the views, the middle one with the lines of the epipolar images, both of these, and the disparity map.

    Views of weight 0 have a red frame, those of them that hold nothing a cross. In the epipolar images a row is a view,
    in the order of ``LightField``; lines that lean to the left going down are nearer than the plane of zero disparity.

    Args:
        light_field: of any kind.
        disparity: ``[H, W]`` estimated, pixels per view step; drawn where the light field has no true one.
        confidence: ``[H, W]`` in [0, 1], of ``disparity``: where it is below 0.05 the noise of flat areas is left out.

    Raises:
        LightFieldError: a map of another size than the views.
    """
    views = light_field.views
    rows, columns = light_field.grid
    height, width = light_field.size
    row, column, y, x = rows // 2, columns // 2, height // 2, width // 2
    named = "the centre view" if rows % 2 and columns % 2 else f"the view at row {row}, column {column}"
    lean = "lines that lean to the left going down are nearer than d = 0"
    depth = _disparity_tiles(light_field, disparity, confidence)
    tile = _NARROW if depth else _WIDE
    whole = [
        Tile(_mosaic(light_field, tile), f"{rows} x {columns} views of {width} x {height} pixels", _note(light_field)),
        Tile(
            _marked(display_values(views[row, column], light_field.transfer), y, x, tile),
            named,
            "with the lines of the epipolar images",
        ),
        *depth,
    ]
    slices = [
        Tile(
            _epipolar(views[row, :, :, y], light_field, tile),
            f"epipolar image along x, at y = {y}",
            f"from top to bottom the views of row {row} from left to right; {lean}",
        ),
        Tile(
            _epipolar(views[:, column, :, :, x], light_field, tile),
            f"epipolar image along y, at x = {x}",
            f"from top to bottom the views of column {column} from top to bottom; {lean}",
        ),
    ]
    title = f"{light_field.scene} ({light_field.format})"
    return contact_sheet([Row(whole), Row(slices)], tile_width=tile, title=title)


def _disparity_tiles(light_field: LightField, disparity: Tensor | None, confidence: Tensor | None) -> list[Tile]:
    """One, or none."""
    for name, given in (("disparity", disparity), ("confidence", confidence)):
        if given is not None and tuple(given.shape) != light_field.size:
            size = list(light_field.size)
            raise LightFieldError(f"{name}: got shape {list(given.shape)}, want {size} as the views")
    if light_field.disparity is not None:
        return [_disparity_tile(light_field.disparity, None, "true disparity")]
    return [] if disparity is None else [_disparity_tile(disparity, confidence, "estimated disparity")]


def _disparity_tile(disparity: Tensor, confidence: Tensor | None, label: str) -> Tile:
    sure = torch.isfinite(disparity)
    if confidence is not None:
        sure &= confidence.to(sure.device) >= SURE
    shown = disparity[sure].flatten().sort().values.cpu()
    tail = int(_OUTLIERS * len(shown))
    low, high = (float(shown[tail]), float(shown[len(shown) - 1 - tail])) if len(shown) else (0.0, 0.0)
    unsure = 100 * (1 - float(sure.float().mean()))
    note = f"grey: not sure, {unsure:.0f} %" if confidence is not None else "grey: unknown" if unsure else ""
    told = f"from {float(shown[0]):+.2f} to {float(shown[-1]):+.2f} px/view; yellow is near" if len(shown) else ""
    picture = coloured(disparity, low, high, sure)
    return Tile(picture, label, told or "unknown everywhere", Scale(low, high, "px/view", note))


def _note(light_field: LightField) -> str:
    weights = light_field.weights
    left_out = 0 if weights is None else int((weights == 0).sum())
    if not left_out:
        return "all are used"
    empty = sum(_is_empty(light_field, *place) for place in _places(light_field))
    crossed = f"; {empty} are empty (cross)" if empty else ""
    return f"{left_out} with weight 0, left out (red frame){crossed}"


def _places(light_field: LightField) -> list[tuple[int, int]]:
    rows, columns = light_field.grid
    return [(row, column) for row in range(rows) for column in range(columns)]


def _is_left_out(light_field: LightField, row: int, column: int) -> bool:
    return light_field.weights is not None and bool(light_field.weights[row, column] == 0)


def _is_empty(light_field: LightField, row: int, column: int) -> bool:
    return _is_left_out(light_field, row, column) and not bool((light_field.views[row, column] != 0).any())


def _colour(rgb: tuple[int, int, int]) -> Tensor:
    return torch.tensor(rgb, dtype=torch.uint8)[:, None, None]


def _scaled(picture: Tensor, height: int, width: int) -> Tensor:
    """``[C, h, w]`` in [0, 1] as uint8 of this size: pixels stay squares where they are enlarged much."""
    if width >= 3 * picture.shape[2]:
        picture = F.interpolate(picture[None], (height, width), mode="nearest-exact")[0]
    else:
        picture = F.interpolate(picture[None], (height, width), mode="bilinear", antialias=True)[0]
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8)


def _marked(picture: Tensor, y: int, x: int, tile: int) -> Tensor:
    """A view as wide as a tile, with the lines of the epipolar images."""
    height, width = picture.shape[1:]
    ratio = tile / width
    shown = _scaled(picture, max(1, round(height * ratio)), tile).expand(3, -1, -1).clone()
    for at, dim in ((y, 1), (x, 2)):
        start = min(max(0, round((at + 0.5) * ratio) - _LINE // 2), shown.shape[dim] - _LINE)
        shown.narrow(dim, max(0, start), min(_LINE, shown.shape[dim])).copy_(_colour(MARK))
    return shown


def _mosaic(light_field: LightField, tile: int) -> Tensor:
    step = max(8, tile // light_field.grid[1])
    tiles = {place: _framed(light_field, *place, step) for place in _places(light_field)}
    rows, columns = light_field.grid
    return torch.cat([torch.cat([tiles[row, column] for column in range(columns)], 2) for row in range(rows)], 1)


def _framed(light_field: LightField, row: int, column: int, step: int) -> Tensor:
    """A small view, ``step`` pixels wide with a border."""
    view = display_values(light_field.views[row, column], light_field.transfer)
    small = thumbnail(view, step - 2).expand(3, -1, -1)
    framed = F.pad(small, (1, 1, 1, 1))
    if not _is_left_out(light_field, row, column):
        return framed
    height, width = framed.shape[1:]
    marked = torch.ones(height, width, dtype=torch.bool)
    marked[2:-2, 2:-2] = False
    if _is_empty(light_field, row, column):
        y, x = torch.arange(height)[:, None] / max(height - 1, 1), torch.arange(width) / max(width - 1, 1)
        marked |= torch.minimum((y - x).abs(), (y + x - 1).abs()) < 1 / width
    return torch.where(marked, _colour(LEFT_OUT), framed)


def _epipolar(lines: Tensor, light_field: LightField, tile: int) -> Tensor:
    """``[N, C, L]``, the same line of N views, as wide as a tile, and as high for few pixels as for many."""
    picture = display_values(lines, light_field.transfer).transpose(0, 1)
    count = picture.shape[1]
    stretched = picture.repeat_interleave(max(1, round(_EPI_HEIGHT / count)), 1)
    return _scaled(stretched, min(stretched.shape[1], 2 * _EPI_HEIGHT), tile)
