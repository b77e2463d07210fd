"""What ``lfdeblur export`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand
from ..names import PRECISIONS, TARGETS
from ..options import choice


@subcommand()
def export(
    to: Annotated[str, choice(TARGETS, help=f"{', '.join(TARGETS)}.")],
    out: Annotated[
        Path,
        typer.Option(
            help="The file, or for spandrel and hub the folder; what is there is replaced, whole or not at all."
        ),
    ],
    weights: Annotated[
        str, typer.Option(help="compact, the weights that ship; or a file: published checkpoint or own state dict.")
    ] = "compact",
    precision: Annotated[
        str, choice(PRECISIONS, help="fp32, or fp16: weights and features; the pictures stay in float32.")
    ] = "fp32",
    opset: Annotated[int, typer.Option(help="Of ONNX's operators, 17 to 21.")] = 17,
) -> None:
    """Write the network in a form that other programs take.

    onnx: standard operators, any size. openvino: .xml and .bin. torch: .pt2 of torch.export. aoti: .pt2, compiled for
    this processor. dtmodel: darktable. spandrel: a folder for ComfyUI, chaiNNer and others. hub: a folder that
    DRBNet.from_pretrained loads. All take and give RGB in [0, 1]; docs/export.md tells how they are used.
    """
