"""What ``lfdeblur info`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand


@subcommand(reads=True)
def info(
    light_field: Annotated[Path | None, typer.Argument(metavar="[LF]", help="Folder or file of a light field.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for contact_sheet.png (views, epipolar images); made if missing. Default: info/SCENE."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell it as JSON, for other programs.")] = False,
) -> None:
    """Tell about this installation, or about a light field, and draw it."""
