"""What several commands share: options, and parsing of arguments. Nothing here imports PyTorch before it is needed."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..io.errors import LfdeblurError
from ..system.sizes import parse_told_size
from ..system.suggestions import did_you_mean
from .names import APERTURES, BAYER, COLOURS, DEVICES, FLIPS, FORMATS, ORDERS, RECIPES, TRANSFERS

if TYPE_CHECKING:
    import torch

    from ..data.readers.options import ReadOptions

_MEANT = {"gpu": "cuda", "fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "half": "float16"}
READING = "Reading the light field"  # the part of the help


class CommandError(LfdeblurError, ValueError):
    """A bad argument; the message is the whole of what the user sees."""


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


def in_words(names: Sequence[str]) -> str:
    """``cpu, cuda or auto``; of many ``one of a, b, c``."""
    if len(names) > 5:
        return f"one of {', '.join(names)}"
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def choice(names: Sequence[str], *declarations: str, **settings: Any) -> Any:
    """An option, given once or several times, that takes one of ``names``: checked at once, completed by the shell.

    Args:
        names: in order.
        declarations: as those of ``typer.Option``.
        settings: more of ``typer.Option``.
    """

    def check(given: str) -> None:
        if given not in names:
            near = f"; did you mean {_MEANT[given]}?" if _MEANT.get(given) in names else did_you_mean(given, names)
            raise ValueError(f"got {given!r}, want {in_words(names)}{near}")

    return checked(check, *declarations, autocompletion=_completing(names), **settings)


def checked(check: Callable[[str], Any], *declarations: str, **settings: Any) -> Any:
    """An option whose value ``check`` refuses by ValueError, before anything else is imported or done."""

    def callback(context: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
        if not context.resilient_parsing:  # not while the shell completes
            for given in value if isinstance(value, (list, tuple)) else (value,):
                if given is not None:
                    with bad_option(f"--{(param.name or '').rstrip('_').replace('_', '-')}"):
                        check(given)
        return value

    return typer.Option(*declarations, callback=callback, **settings)


def _completing(names: Sequence[str]) -> Callable[[str], list[str]]:
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def recipe_names(incomplete: str) -> list[str]:
    """Those that ship, for the shell."""
    return _completing(RECIPES)(incomplete)


def check_shape(text: str) -> None:
    """Refuse an aperture of no known shape; its numbers are checked where they are read. Raises ValueError."""
    shape, _, _ = text.partition(":")
    if shape not in APERTURES and (near := did_you_mean(shape, APERTURES)):
        raise ValueError(f"got {text!r}, want {', '.join(APERTURES)}, as disk:3{near}")


Out = Annotated[
    Path, typer.Option(help="Folder for the results; made if missing. Files of the same names are replaced.")
]
Memory = Annotated[
    str | None,
    checked(
        parse_told_size, help="What the process may hold, on CUDA the GPU: 2GB, 800MB. Default: half of what is free."
    ),
]
TileSide = Annotated[int | None, typer.Option(min=1, help="Side of tiles in pixels. Default: by memory.")]
Overlap = Annotated[
    int | None,
    typer.Option(min=0, help="Pixels a tile sees beyond its own part. Default: 48; exact results: 144."),
]
Device = Annotated[str, choice(DEVICES, help="auto, cpu or cuda.")]


def device_of(name: str) -> "torch.device":
    """The device that ``--device`` names."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise CommandError("--device: got cuda, but PyTorch finds no GPU here")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def dtype_of(name: str) -> "torch.dtype":
    """The dtype that ``--dtype`` names."""
    import torch

    dtype = getattr(torch, name)
    assert isinstance(dtype, torch.dtype)
    return dtype


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
        str | None,
        choice(FORMATS, help=f"Format of the light field, else found by looking: {', '.join(FORMATS)}."),
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
    flip: Annotated[str, choice(FLIPS, help="Turn the order of views: none, rows, columns or both.")] = "none",
    grid: Annotated[
        str | None, typer.Option(metavar="ROWSxCOLUMNS", help="Grid of views, where the names do not tell it: 16x16.")
    ] = None,
    order: Annotated[str, choice(ORDERS, help="Of numbered pictures in a grid: rows, columns or lawn-mower.")] = "rows",
    dataset: Annotated[str | None, typer.Option(help="Name of the array or variable in a file of several.")] = None,
    axes: Annotated[str | None, typer.Option(help="Axes of the array in order, letters of vuyxc.")] = None,
    transfer: Annotated[
        str | None, choice(TRANSFERS, help="Of the views' values, where it is not the format's: srgb, linear.")
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
        str | None,
        typer.Option(
            help=f"Upper left pixels of a colour sensor (raw-lenslet): {', '.join(BAYER)}.",
            autocompletion=_completing(BAYER),
        ),
    ] = None,
    colours: Annotated[
        str,
        choice(COLOURS, help="Of a Lytro's views: metadata (balanced, sRGB primaries) or camera (the sensor's own)."),
    ] = "metadata",
) -> "ReadOptions":
    """The options of the command line that tell how light fields are read. Raises LightFieldError: a bad one."""
    with bad_option():
        size = grid_of(grid)
    from ..data.readers.options import ReadOptions

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


def reading_parameters(own: Sequence[str]) -> list[inspect.Parameter]:
    """The parameters of ``reading_options``, in a part of the help of their own, but for those that a command has."""
    found = []
    for name, one in inspect.signature(reading_options).parameters.items():
        one.annotation.__metadata__[0].rich_help_panel = READING
        if name not in own:
            found.append(one)
    return found
