"""``lfdeblur deblur``."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ..inference.exported import SUFFIXES as EXPORTED
from ..inference.exported import ExportedFileError, ExportedNetwork, open_exported
from ..inference.optimize import OptimizedDRBNet, optimize
from ..inference.photos import Photo, Pipeline, open_photo
from ..inference.tiled_network import SMALL, TiledNetwork, default_memory
from ..io.atomic import check_output_folder, make_output_folder
from ..io.errors import ImageError
from ..io.images import KINDS
from ..networks import DRBNet
from ..networks.shipped import COMPACT, weights_file
from ..networks.weights import load_network
from ..system.interrupts import terminable
from ..system.memory import parse_size, return_large_blocks
from .installation import kernels_of
from .options import CommandError, bad_option, device_of, dtype_of
from .output import failed as failed_one
from .output import is_quiet, note, say
from .progress import shows_bars

FAILED = 1


def deblur(
    *,
    images: list[Path],
    out: Path,
    weights: Path | None,
    runtime: str | None,
    left: Path | None,
    right: Path | None,
    strength: float,
    memory: str | None,
    tile: int | None,
    overlap: int | None,
    dtype: str,
    device: str,
    dry_run: bool,
) -> None:
    """Do what ``commands/deblur.py`` declares."""
    if runtime is not None and device == "cuda":
        raise CommandError("--device: got cuda, but --runtime runs on the CPU")
    where = device_of(device)
    if runtime is not None:
        where = torch.device("cpu")
    allowed = None if memory is None else parse_size(memory)
    _check_files(images, left, right, out)
    network = _network(weights, left, right, len(images), None if runtime is None else (runtime, dtype))
    with bad_option("--"):
        TiledNetwork(network, tile=tile, overlap=overlap, strength=strength)
    photos, failed = _headers(images, left, right, out)
    written: list[Photo] = []
    began, ran = time.monotonic(), ""
    if photos:
        return_large_blocks()
        precise = any(photo.info.bits > 8 for photo in photos)
        ready = _ready(network, dtype, where, precise)
        del network  # the optimised one has weights of its own
        tiled = TiledNetwork(ready, tile=tile, overlap=overlap, strength=strength)
        if allowed is None and tile is None and max(photo.pixels for photo in photos) > SMALL:
            allowed = default_memory(where)
        with _progress(sum(photo.pixels for photo in photos)) as advance, terminable():
            with bad_option("too little memory" if memory is None else "--memory"):
                pipeline = Pipeline(tiled, allowed, advance)
            ran = f"{_told_dtype(ready)} on {where.type}, weights {weights or COMPACT}, {_runs(runtime, where)}"
            note(f"to do: {len(photos)}, {ran}")
            began = time.monotonic()

            def done(photo: Photo) -> None:
                written.append(photo)
                note(f"{photo.target}: {_size(photo)}, {time.monotonic() - began:.1f} s since the start")

            if dry_run:
                _would_write(photos)
            else:
                make_output_folder(out)
                failed += pipeline.run(photos, done)
    _report(written, failed, out, time.monotonic() - began, ran, dry_run=dry_run)


def _would_write(photos: Sequence[Photo]) -> None:
    for photo in photos:
        say(f"would write {photo.target}: {_size(photo)}, {photo.info.bits} bits")


def _size(photo: Photo) -> str:
    return f"{photo.info.width}x{photo.info.height} pixels"


def _told_dtype(network: DRBNet | OptimizedDRBNet | ExportedNetwork) -> str:
    dtype = next(network.parameters()).dtype if isinstance(network, DRBNet) else network.dtype
    return str(dtype).removeprefix("torch.")


def _runs(runtime: str | None, device: torch.device) -> str:
    return f"the runtime of {runtime}" if runtime is not None else kernels_of(device)


def _report(written: list[Photo], failed: list[str], out: Path, seconds: float, ran: str, *, dry_run: bool) -> None:
    for photo in written:
        if photo.note and not is_quiet():
            failed_one(f"note: {photo.note}")
    for reason in failed:
        failed_one(f"error: {reason}")
    if not dry_run:
        megapixels = sum(photo.pixels for photo in written) / 1e6
        spent = f": {megapixels:.2f} megapixels in {seconds:.1f} s, {ran}" if written else ""
        say(f"{len(written)} picture{'s' * (len(written) != 1)} in {out}{spent}")
    if failed:
        raise typer.Exit(FAILED)


def _dtype(name: str, device: torch.device, precise: bool) -> torch.dtype:
    if name != "auto":
        return dtype_of(name)
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        told = torch.ops.mkldnn._is_mkldnn_bf16_supported  # noqa: SLF001 (told nowhere else)
        fast = torch.backends.mkldnn.is_available() and told()
    return torch.bfloat16 if fast and not precise else torch.float32


def _check_files(images: Sequence[Path], left: Path | None, right: Path | None, out: Path) -> None:
    """What is wrong with the arguments before any file is opened."""
    check_output_folder(out)
    names: dict[str, Path] = {}
    for path in images:
        name = _result_name(path)
        if name in names:
            raise CommandError(f"{names[name]} and {path}: both results would be {out / name}")
        names[name] = path
    for path in (path for path in (*images, left, right) if path is not None):
        if not path.is_file():
            raise CommandError(f"{path}: {'is a folder, want a picture' if path.is_dir() else 'no such file'}")
        if path.resolve() in {(out / name).resolve() for name in names}:
            raise CommandError(f"{path}: the result would replace it; choose another folder than {out}")


def _result_name(path: Path) -> str:
    """As far as the picture's name tells: of a kind that is read alone the result is a PNG."""
    read_only = any(path.suffix.lower() in kind.suffixes for kind in KINDS.values() if not kind.bits)
    return path.with_suffix(".png").name if read_only else path.name


def _network(
    weights: Path | None, left: Path | None, right: Path | None, pictures: int, runtime: tuple[str, str] | None
) -> DRBNet | ExportedNetwork:
    """What --weights names; ``runtime``: what --runtime and --dtype say."""
    sides = left is not None or right is not None
    if weights is None and runtime is not None:
        raise CommandError("--runtime: it needs --weights, a file that lfdeblur export wrote")
    if weights is None and sides:
        raise CommandError("--left and --right: they need --weights of the dual-view network")
    weights = weights_file(weights)
    if runtime is None and weights.suffix in EXPORTED.values():
        raise CommandError(f"{weights}: an exported file; tell by --runtime what runs it: {', '.join(EXPORTED)}")
    network = load_network(weights) if runtime is None else _exported(weights, *runtime)
    if network.views == 1 and sides:
        raise CommandError(f"{weights}: weights of the single-view network; --left and --right need dual-view weights")
    if network.views == 2 and (left is None or right is None or pictures != 1):
        raise CommandError(
            f"{weights}: weights of the dual-view network; they need one IMG (both views together), --left and --right"
        )
    return network


def _exported(path: Path, runtime: str, dtype: str) -> ExportedNetwork:
    """Whoever names a runtime compares: ``auto`` is float32."""
    try:
        return open_exported(path, runtime, torch.float32 if dtype == "auto" else dtype_of(dtype))
    except ExportedFileError as error:
        of_option = str(error).startswith(("runtime:", "dtype:"))
        raise CommandError(f"--{error}" if of_option else str(error)) from error


def _ready(
    network: DRBNet | ExportedNetwork, dtype: str, device: torch.device, precise: bool
) -> DRBNet | OptimizedDRBNet | ExportedNetwork:
    """The network in the form that is fastest for files."""
    if isinstance(network, ExportedNetwork):
        return network
    network = network.to(device)
    chosen = _dtype(dtype, device, precise)
    # On the CPU; on CUDA each size of tile would be captured as a graph, for few tiles of most sizes.
    return optimize(network, chosen) if device.type == "cpu" else network.to(chosen)


def _headers(images: Sequence[Path], left: Path | None, right: Path | None, out: Path) -> tuple[list[Photo], list[str]]:
    """The files that can be opened, and why the others cannot."""
    photos: list[Photo] = []
    failed = []
    taken = {(out / _result_name(path)).resolve(): path for path in images} | {path.resolve(): path for path in images}
    for path in images:
        try:
            photo = open_photo([p for p in (path, left, right) if p is not None], out / path.name)
        except ImageError as error:
            failed.append(str(error))
            continue
        other = taken.setdefault(photo.target.resolve(), path)
        if other is path:
            photos.append(photo)
        else:
            failed.append(f"{path}: its result would be {photo.target}, and {other} is or becomes that")
    return photos, failed


@contextmanager
def _progress(pixels: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, on terminals only: megapixels done, and the time that is left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total:.1f} megapixels"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    # A tile can take half a minute, the time over which rich would estimate the speed.
    settings: dict[str, Any] = {"transient": True, "disable": not shows_bars(), "speed_estimate_period": 3600}
    bar = Progress(*columns, console=Console(stderr=True), **settings)
    with bar:
        task = bar.add_task("deblur", total=pixels / 1e6)
        yield lambda done: bar.advance(task, done / 1e6)
