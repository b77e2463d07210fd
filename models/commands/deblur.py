"""``lfdeblur deblur``."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from ..deblur import deblur as deblur_picture
from ..deblur import load_network, untrained_network
from ..images import read_image, write_image
from ..output import check_output_folder, make_output_folder
from ._shared import CommandError, Out, progress_bar


def deblur(
    images: Annotated[list[Path], typer.Argument(metavar="IMG...", help="8- or 16-bit PNG, TIFF or JPEG.")],
    out: Out,
    weights: Annotated[
        Path | None, typer.Option(help="Published checkpoint or own state dict; without it the network is untrained.")
    ] = None,
) -> None:
    """Deblur pictures with DRBNet; each result has the name, format and depth of its picture."""
    check_output_folder(out)
    names: dict[str, Path] = {}
    for path in images:
        read_image(path)  # all are decoded before any is deblurred: a damaged one leaves no files
        if path.name in names:
            raise CommandError(f"{names[path.name]} and {path}: both results would be {out / path.name}")
        if (out / path.name).resolve() == path.resolve():
            raise CommandError(f"{path}: the result would replace it; choose another folder than {out}")
        names[path.name] = path
    if weights is None:
        network = untrained_network()
        typer.echo("lfdeblur: warning: untrained: without --weights the network returns the picture as it is", err=True)
    else:
        network = load_network(weights)
        if network.views != 1:
            raise CommandError(f"{weights}: weights of the dual-view network; single pictures need single-view weights")
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    make_output_folder(out)
    with progress_bar() as progress:
        task = progress.add_task("deblur", total=len(names))
        for name, path in names.items():
            picture, kept = read_image(path)
            levels = 255 if kept.bits == 8 else 65535
            write_image(out / name, deblur_picture(network, picture.float() / levels), like=kept)
            progress.advance(task)
    typer.echo(f"{len(names)} picture{'s' * (len(names) != 1)} in {out}")
