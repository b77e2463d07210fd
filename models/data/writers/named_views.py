"""A folder of pictures, one per view, named by row and column in the manner of one program or another."""

from functools import partial
from pathlib import Path

from ..light_field import LightField
from ..positions import grid_places
from ._layout import Layout
from ._pictures import colours_and_alpha, digits, plain_views, rounded_weights, write_views


def write_grid(light_field: LightField, path: Path) -> None:
    """Row and column in the names; alpha is a view's weight."""
    width = digits(*light_field.grid)
    suffix = "tif" if light_field.dtype.is_floating_point else "png"
    path.mkdir()
    write_views(path, colours_and_alpha(light_field), lambda v, u: f"view_r{v:0{width}d}_c{u:0{width}d}.{suffix}")


def write_stanford(light_field: LightField, path: Path) -> None:
    """Positions in view steps from the centre, V downwards as in the names that end with an underscore."""
    positions = light_field.positions
    places = (grid_places(*light_field.grid) if positions is None else positions).tolist()

    def name(v: int, u: int) -> str:
        return f"out_{v:02d}_{u:02d}_{places[v][u][0]:.9f}_{places[v][u][1]:.9f}_.png"

    path.mkdir()
    write_views(path, plain_views(light_field), name)


def write_power_tools(light_field: LightField, path: Path) -> None:
    columns = light_field.grid[1]

    def name(scene: str, v: int, u: int) -> str:
        return f"{scene}_view000_warp_image{v * columns + u:03d}.png"

    path.mkdir()
    write_views(path, plain_views(light_field), partial(name, light_field.scene))


def write_inria(light_field: LightField, path: Path) -> None:
    def name(scene: str, v: int, u: int) -> str:
        return f"{scene}_{v}_{u}.png"

    path.mkdir()
    write_views(path, plain_views(light_field), partial(name, light_field.scene))


def write_sequence(light_field: LightField, path: Path) -> None:
    """Row by row."""
    columns = light_field.grid[1]
    path.mkdir()
    write_views(path, plain_views(light_field), lambda v, u: f"frame_{v * columns + u:03d}.png")


def _any_grid(light_field: LightField) -> str:
    rows, columns = light_field.grid
    return f"--grid {rows}x{columns}"


def _grid_of(light_field: LightField) -> str:
    rows, columns = light_field.grid
    return "" if rows == columns else _any_grid(light_field)


VIEWS = Layout(
    "views",
    write_grid,
    order=20,
    writes="folder: `view_r03_c05.png`, row and column",
    format="grid",
    transfer="srgb",
    keeps=("weights",),
    light=True,
    owns=r"view_r\d+_c\d+\.(?:png|tif)",
    losses=rounded_weights,
)
STANFORD = Layout(
    "stanford",
    write_stanford,
    order=110,
    writes="folder: `out_03_05_-1.0_1.0_.png`, positions in view steps",
    format="stanford",
    transfer="srgb",
    keeps=("positions",),
    owns=r"out_\d+_\d+_-?[\d.]+_-?[\d.]+_?\.png",
)
POWER_TOOLS = Layout(
    "power-tools",
    write_power_tools,
    order=120,
    writes="folder: `SCENE_view000_warp_image017.png`, row by row",
    format="power-tools",
    transfer="srgb",
    owns=r".*_view\d+_warp_image\d+\.png",
    hint=_grid_of,
)
INRIA = Layout(
    "inria",
    write_inria,
    order=150,
    writes="folder: `SCENE_3_5.png`, row and column",
    format="inria",
    transfer="srgb",
    owns=r".+_\d+_\d+\.png",
    hint=lambda light_field: "--format inria",
)
SEQUENCE = Layout(
    "sequence",
    write_sequence,
    order=160,
    writes="folder: `frame_000.png`, row by row",
    format="sequence",
    transfer="srgb",
    owns=r"frame_\d+\.png",
    hint=_any_grid,
)
