"""What several commands share: options, and parsing of arguments."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from ..data import FORMATS, ReadOptions
from ..data.readers.registry import check_format
from ..io.errors import LfdeblurError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class CommandError(LfdeblurError, ValueError):
    """A bad argument; the message is the whole of what the user sees."""


Out = Annotated[
    Path, typer.Option(help="Folder for the results; made if missing. Files of the same names are replaced.")
]
Memory = Annotated[
    str | None,
    typer.Option(help="What the process may hold, on CUDA the GPU: 2GB, 800MB. Default: half of what is free."),
]
TileSide = Annotated[int | None, typer.Option(min=1, help="Side of tiles in pixels. Default: by memory.")]
Overlap = Annotated[
    int | None,
    typer.Option(min=0, help="Pixels a tile sees beyond its own part. Default: 48; exact results: 144."),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@contextmanager
def bad_option(name: str = "") -> Iterator[None]:
    """Turn a ``ValueError`` of the block into a :class:`CommandError` about an option.

    Args:
        name: stands before the message, as ``--memory``. ``--``: the option is the argument that the message begins
            with (``shard_scenes: got 0`` is told of ``--shard-scenes``). Empty: the message says it already.
    """
    try:
        yield
    except ValueError as error:
        message = str(error)
        if name == "--":
            argument, colon, rest = message.partition(":")
            message = f"--{argument.replace('_', '-')}{colon}{rest}"
        elif name:
            message = f"{name}: {message}"
        raise CommandError(message) from error


def warn(message: str) -> None:
    """One line on stderr; the command goes on."""
    typer.echo(f"lfdeblur: warning: {message}", err=True)


def device_of(name: str) -> torch.device:
    """The device that ``--device`` names."""
    if name not in ("auto", "cpu", "cuda"):
        raise CommandError(f"--device: got {name!r}, want auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise CommandError("--device: got cuda, but PyTorch finds no GPU here")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def grid_of(text: str | None) -> tuple[int, int] | None:
    """``16x16`` as rows and columns. Raises ValueError."""
    if text is None:
        return None
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdecimal() and columns.isdecimal()):
        raise ValueError(f"--grid: got {text!r}, want ROWSxCOLUMNS, for example 16x16")
    return int(rows), int(columns)


def reading_options(
    format: Annotated[
        str | None, typer.Option(help=f"Format of the light field, else found by looking: {', '.join(FORMATS)}.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help="Regular expression with groups row and col that matches the views' names.")
    ] = None,
    lenslet: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Pixels below a lenslet (eslf; else 14 or 15); views to sample, instead of the pitch (raw-lenslet).",
        ),
    ] = None,
    views: Annotated[int | None, typer.Option(min=1, help="Keep the central N x N views.")] = None,
    flip: Annotated[str, typer.Option(help="Turn the order of views: none, rows, columns or both.")] = "none",
    grid: Annotated[
        str | None, typer.Option(metavar="ROWSxCOLUMNS", help="Grid of views, where the names do not tell it: 16x16.")
    ] = None,
    order: Annotated[str, typer.Option(help="Of numbered pictures in a grid: rows, columns or lawn-mower.")] = "rows",
    dataset: Annotated[str | None, typer.Option(help="Name of the array or variable in a file of several.")] = None,
    axes: Annotated[str | None, typer.Option(help="Axes of the array in order, letters of vuyxc.")] = None,
    transfer: Annotated[
        str | None, typer.Option(help="Of the views' values, where it is not the format's: srgb, linear.")
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="JSON or NPZ with homographies [V, U, 3, 3] that rectify the views."),
    ] = None,
    white: Annotated[
        str | None,
        typer.Option(help="White picture, or calibration folder of a Lytro (lfp), where it is not found by itself."),
    ] = None,
    pitch: Annotated[
        float | None, typer.Option(help="Pixels from lenslet to lenslet, where it is not found by itself.")
    ] = None,
    bayer: Annotated[
        str | None, typer.Option(help="Upper left pixels of a colour sensor (raw-lenslet): RGGB, GRBG, GBRG, BGGR.")
    ] = None,
    colours: Annotated[
        str, typer.Option(help="Of a Lytro's views: metadata (balanced, sRGB primaries) or camera (the sensor's own).")
    ] = "metadata",
) -> ReadOptions:
    """The options of the command line that tell how light fields are read. Raises LightFieldError: a bad one."""
    check_format(format)
    with bad_option():
        size = grid_of(grid)
    return ReadOptions(
        format=format,
        pattern=pattern,
        lenslet=lenslet,
        views=views,
        flip=flip,
        grid=size,
        order=order,
        dataset=dataset,
        axes=axes,
        transfer=transfer,
        calibration=calibration,
        white=white,
        pitch=pitch,
        bayer=bayer,
        colours=colours,
    )


def takes_reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter ``read_options`` the command line tells by the options of ``reading_options``.

    An option that the command has by itself is its own.
    """

    @functools.wraps(command)
    def run(**given: Any) -> None:
        told = {name: given.pop(name) for name in options}
        command(**given, read_options=reading_options(**told))

    own = inspect.signature(command).parameters
    options = {name: one for name, one in inspect.signature(reading_options).parameters.items() if name not in own}
    parameters = [*(one for one in own.values() if one.name != "read_options"), *options.values()]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def check_interpolation(name: str) -> None:
    """Refuse a name that is none of ``refocus``'s interpolations."""
    if name not in ("nearest", "bilinear", "bicubic"):
        raise CommandError(f"--interpolation: got {name!r}, want nearest, bilinear or bicubic")
