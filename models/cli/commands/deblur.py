"""What ``lfdeblur deblur`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand
from ..names import DTYPES, PICTURES, RUNTIMES
from ..options import Device, Memory, Out, Overlap, TileSide, choice


@subcommand()
def deblur(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMG...", help=f"{PICTURES}; of 8 or 16 bits or floating point.")
    ],
    out: Out = Path("restored"),
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Published checkpoint, own state dict, or with --runtime a file of lfdeblur export. Default: compact, "
            "the network that ships."
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        choice(RUNTIMES, help="Run --weights, a file of lfdeblur export, in another runtime: onnx, openvino or torch."),
    ] = None,
    left: Annotated[Path | None, typer.Option(help="Left view of the one IMG, for dual-view weights.")] = None,
    right: Annotated[Path | None, typer.Option(help="Right view of the one IMG, for dual-view weights.")] = None,
    strength: Annotated[
        float, typer.Option(help="From 0, the picture as it is, to 1, as the network restores it.")
    ] = 1.0,
    memory: Memory = None,
    tile: TileSide = None,
    overlap: Overlap = None,
    dtype: Annotated[
        str,
        choice(
            ("auto", *DTYPES),
            help="auto, float32, bfloat16 or float16. auto: bfloat16 where it is fast and all pictures have 8 bits.",
        ),
    ] = "auto",
    device: Device = "auto",
) -> None:
    """Deblur pictures of any size with DRBNet.

    Each result has the name, format, depth, alpha, colour profile and EXIF of its picture; the pixels stay as they are
    stored, and the EXIF orientation with them. Of HEIC and of BMP with alpha the result is a PNG. Floating point is
    linear light: the network sees it up to 1, and what is brighter keeps what it has above that. Files that cannot be
    read or restored are reported at the end, with exit code 1; the others are done. Dual-view weights take one IMG,
    both views together, with --left and --right.
    """
