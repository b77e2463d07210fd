"""``lfdeblur info``."""

import json
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from ..data import LightField, LightFieldError, LytroContainer, ReadOptions, estimate_disparity_range, read_lytro
from ..data.lenslets.container import is_lytro
from ..data.overview import overview
from ..data.positions import off_grid
from ..data.readers.lfp import DECODERS
from ..data.readers.registry import read_as_told
from ..drawing.contact_sheet import write_contact_sheet
from ..io.atomic import check_output_folder, make_output_folder
from .defaults import files_used
from .installation import in_words, installation

_LONGEST = 200  # characters of a value; a Lytro's metadata holds whole calibration tables
_NOT_SHOWN = ("camera_positions_vu", "dark_views")


def info(
    *,
    light_field: Path | None,
    out: Path | None,
    as_json: bool,
    read_options: ReadOptions,
    dry_run: bool,
) -> None:
    """Do what ``commands/info.py`` declares."""
    rows: dict[str, Any]
    if out is not None:
        check_output_folder(out)
    if light_field is None:
        facts = installation(list(files_used()))
        typer.echo(json.dumps(facts, indent=2) if as_json else in_words(facts))
        return
    if is_lytro(light_field):
        container = _describe_container(read_lytro(light_field))
        rows = container | _decoded(light_field, out, read_options, dry_run=dry_run) | {"format": container["format"]}
    else:
        rows = _describe_field(read_as_told(light_field, read_options), out, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps({name: str(value) for name, value in rows.items()}, indent=2))
        return
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:  # a file or another program: whole values, each in a line
        typer.echo("\n".join(f"{name:{max(map(len, rows))}}  {value}" for name, value in rows.items()))
        return
    table = Table(show_header=False, box=None)
    table.add_column(min_width=max(map(len, rows)))  # a name cut off is none
    for name, value in rows.items():
        table.add_row(name, str(value))
    console.print(table)


def _describe_field(field: LightField, out: Path | None, *, dry_run: bool) -> dict[str, Any]:
    """What is told of a light field; its contact sheet is written."""
    folder = check_output_folder(out or Path("info") / field.scene)
    if dry_run:
        return _describe(field) | {"contact sheet": f"{folder / 'contact_sheet.png'} (would be written)"}
    rows, sheet = _describe(field), overview(field)
    make_output_folder(folder)
    write_contact_sheet(folder / "contact_sheet.png", sheet)
    return rows | {"contact sheet": folder / "contact_sheet.png"}


def _decoded(container: Path, out: Path | None, options: ReadOptions, *, dry_run: bool) -> dict[str, Any]:
    """What is told of a container's light field, or why it cannot be decoded."""
    try:
        field = read_as_told(container, options)
    except LightFieldError as error:
        return {"to get views": str(error), "or": f"decode it with {DECODERS}"}
    return _describe_field(field, out, dry_run=dry_run)


def _describe(field: LightField) -> dict[str, Any]:
    rows, columns = field.grid
    height, width = field.size
    told = {
        "scene": field.scene,
        "format": field.format,
        "views": f"{rows} rows x {columns} columns",
        "size": f"{width} x {height} pixels, {'grey' if field.shape[2] == 1 else 'RGB'}, {field.dtype}",
        "transfer": field.transfer,
        "disparity range": _describe_range(field),
        "true disparity": "yes" if field.disparity is not None else "no",
        "weights of views": _describe_weights(field),
        "cameras": _describe_cameras(field),
    }
    said = {name: value for name, value in field.metadata.items() if name not in _NOT_SHOWN}
    return told | {name: value for name, value in said.items() if not (value is None or value == [])}


def _describe_range(field: LightField) -> str:
    """What the files tell, or what is seen."""
    limits, source = field.disparity_range, "told by the files"
    if limits is None:
        try:
            limits, source = estimate_disparity_range(field.with_center()), "estimated, of textured parts"
        except LightFieldError as error:
            return f"not told by the files, not seen ({error})"
    return f"{limits[0]:.2f} to {limits[1]:.2f} pixels per view step ({source})"


def _describe_cameras(field: LightField) -> str:
    if field.positions is None:
        return "on an exact grid, as far as the files tell"
    farthest = off_grid(field.positions).norm(dim=-1).max().item()
    return f"up to {farthest:.3f} view steps off an exact grid, which refocus, depth and generate make good"


def _describe_weights(field: LightField) -> str:
    weights = field.weights
    if weights is None:
        return "all alike"
    dark = len(field.metadata.get("dark_views", ()))
    used = int((weights > 0).sum())
    said = f"{used} of {weights.numel()} views are used, weights from {weights.min():.3g} to {weights.max():.3g}"
    return said + (f"; {dark} corner views are dark and left out" if dark else "")


def _describe_container(container: LytroContainer) -> dict[str, Any]:
    rows: dict[str, Any] = {"format": "Lytro container", "sections": len(container.sections)}
    for index, section in enumerate(container.sections):
        role = f", {section.role}" if section.role else ""
        rows[f"section {index}"] = f"{section.kind}, {section.size} bytes, {section.sha1}{role}"
    for name, document in {"contents": container.contents, **container.metadata}.items():
        rows |= _flat(name, document)
    return rows


def _flat(name: str, value: Any) -> dict[str, str]:
    """Nested objects as one row per value, keys joined by dots; lists and long texts are cut off."""
    if isinstance(value, dict) and value:
        return {key: text for part, inner in value.items() for key, text in _flat(f"{name}.{part}", inner).items()}
    text = value if isinstance(value, str) else json.dumps(value)
    return {name: text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."}
