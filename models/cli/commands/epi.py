"""What ``lfdeblur epi`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand


@subcommand(reads=True)
def epi(
    light_field: Annotated[Path, typer.Argument(metavar="LF", help="Folder or file of a light field.")],
    row: Annotated[
        list[int] | None,
        typer.Option(metavar="Y", help="Of pixels: the image along x; repeat for several. Default: the middle one."),
    ] = None,
    column: Annotated[
        list[int] | None, typer.Option(metavar="X", help="Of pixels: the image along y; repeat for several.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder, made if missing; or for one image a picture file. Default: epi/SCENE."),
    ] = None,
    view_row: Annotated[
        int | None, typer.Option(metavar="V", help="Row of views for images along x. Default: the middle one.")
    ] = None,
    view_column: Annotated[
        int | None, typer.Option(metavar="U", help="Column of views for images along y. Default: the middle one.")
    ] = None,
    enlarge: Annotated[
        int | None,
        typer.Option(
            min=1, max=1000, help="Rows of the picture for each view; 1: the bare slice. Default: enough to see it."
        ),
    ] = None,
) -> None:
    """Draw epipolar images: one line of pixels, as a line of views sees it, a view below the other.

    Lines that lean to the left going down are nearer than the plane of disparity 0.
    """
