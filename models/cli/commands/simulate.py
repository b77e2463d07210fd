"""What ``lfdeblur simulate`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand
from ..names import CAMERAS, LENSLETS
from ..options import choice


@subcommand(reads=True)
def simulate(
    light_field: Annotated[Path, typer.Argument(metavar="LF", help="Folder or file of a light field.")],
    out: Annotated[
        Path,
        typer.Option(
            help="FILE.lfp or FILE.lfr: a Lytro container; else a folder for capture, white and dark picture. Files of "
            "the same names are replaced."
        ),
    ],
    camera: Annotated[str, choice(CAMERAS, help=f"Sensor and lenslets: {', '.join(CAMERAS)}.")] = "f01",
    lenslets: Annotated[str | None, choice(LENSLETS, help="hexagonal or square. Default: the camera's.")] = None,
    size: Annotated[
        str | None, typer.Option(metavar="HEIGHTxWIDTH", help="Pixels of the sensor. Default: the camera's.")
    ] = None,
    pitch: Annotated[float | None, typer.Option(help="Pixels from lenslet to lenslet.")] = None,
    rotation: Annotated[float | None, typer.Option(help="Of the rows of lenslets, degrees.")] = None,
    offset: Annotated[
        str | None, typer.Option(metavar="DOWN,RIGHT", help="Of the lenslets from the sensor's middle, pixels.")
    ] = None,
    bits: Annotated[int | None, typer.Option(help="Of a raw pixel; levels are scaled with them.")] = None,
    noise: Annotated[
        str, typer.Option(metavar="SHOT:READ", help="Light of one electron, and read-out, in units of white.")
    ] = "0.0002:0.001",
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the noise.")] = 0,
    disparity: Annotated[
        str, typer.Option(help="Between views: auto (the field's own, else estimated), or one number for all.")
    ] = "auto",
    calibration: Annotated[
        Path | None, typer.Option(help="Folder for the white picture (MOD_0000), in place of the container.")
    ] = None,
) -> None:
    """Take a raw picture of a light field with a camera that has lenslets: sensor, colour filters, vignetting, noise.

    read_light_field, and so each command, decodes what is written.
    """
