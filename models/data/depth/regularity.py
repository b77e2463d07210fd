"""Light fields of cameras that stood beside their places, made regular before anything is rendered from them."""

from collections.abc import Callable

from ..light_field import LightField
from ..rendering.regular_grid import on_regular_grid
from .disparity import disparity_of


def regular(light_field: LightField, *, between: Callable[[], None] = lambda: None) -> LightField:
    """Itself where its cameras stood on an exact grid, as most do; else as from there (``on_regular_grid``), by the
    disparity that is told or estimated.

    Of an even number of rows (columns) the first is left out then, since the map belongs to the centre view.
    """
    if light_field.positions is None:
        return light_field
    centered = light_field.with_center()
    return on_regular_grid(centered, disparity_of(centered, between=between))
