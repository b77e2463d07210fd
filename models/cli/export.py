"""``lfdeblur export``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..export import TARGETS, ExportError, card_of, check_target
from ..export import export as write
from ..networks.shipped import COMPACT
from ..networks.weights import load_network
from ..system.interrupts import terminable
from .options import CommandError


def export(
    to: Annotated[str, typer.Option(help=f"{', '.join(TARGETS)}.")],
    out: Annotated[
        Path,
        typer.Option(
            help="The file, or for spandrel and hub the folder; what is there is replaced, whole or not at all."
        ),
    ],
    weights: Annotated[
        str, typer.Option(help="compact, the weights that ship; or a file: published checkpoint or own state dict.")
    ] = COMPACT,
    precision: Annotated[
        str, typer.Option(help="fp32, or fp16: weights and features; the pictures stay in float32.")
    ] = "fp32",
    opset: Annotated[int, typer.Option(help="Of ONNX's operators, 17 to 21.")] = 17,
) -> None:
    """Write the network in a form that other programs take.

    onnx: standard operators, any size. openvino: .xml and .bin. torch: .pt2 of torch.export. aoti: .pt2, compiled for
    this processor. dtmodel: darktable. spandrel: a folder for ComfyUI, chaiNNer and others. hub: a folder that
    DRBNet.from_pretrained loads. All take and give RGB in [0, 1]; docs/export.md tells how they are used.
    """
    with _told_of_options(), terminable():
        check_target(to, out)
        network = load_network(weights)
        write(network, to, out, precision=precision, opset=opset, card=card_of(weights))
    typer.echo(str(out))


@contextmanager
def _told_of_options() -> Iterator[None]:
    """Messages about arguments become ones about the options; the network is what --weights names."""
    try:
        yield
    except ExportError as error:
        raise CommandError("--" + str(error).replace("network:", "weights:", 1)) from error
