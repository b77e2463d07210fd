"""``lfdeblur evaluate``."""

import hashlib
import platform
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

import lfdeblur_ops

from ..drawing.contact_sheet import Tile, contact_sheet, write_contact_sheet
from ..evaluation.evaluate import Evaluation, restorer
from ..evaluation.evaluate import evaluate as run_evaluation
from ..evaluation.picture_sets import DISK_BLUR, SCENE_KINDS, STACK, PictureSet, Scene
from ..evaluation.report import as_text, write_csv, write_json
from ..evaluation.scores import PROTOCOLS, choose_metrics, least_side
from ..evaluation.sheet import WIDTH, shown_pictures, tiles_of
from ..inference.tiled_network import TiledNetwork
from ..io.atomic import check_output_folder, make_output_folder
from ..io.images import write_image
from ..networks import DRBNet
from ..networks.shipped import weights_file
from ..networks.weights import load_network
from ..system.memory import held, parse_size, show_size
from .options import DTYPES, CommandError, Device, Memory, Out, Overlap, TileSide, bad_option, device_of
from .progress import progress_bar

FAILED = 1
RESTORED = "restored"


def evaluate(
    data: Annotated[str, typer.Option(metavar="KIND", help=f"Kind of data set: {', '.join(SCENE_KINDS)}.")],
    root: Annotated[Path | None, typer.Option(help="Folder of the data set. Default: the stack that ships.")] = None,
    out: Out = Path("evaluation"),
    weights: Annotated[
        Path | None, typer.Option(help="Published checkpoint or own weights. Default: compact, those that ship.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, val or test, of dpdd, lfdof and pixeldp.")] = "test",
    listing: Annotated[Path | None, typer.Option(help="Text file with the pictures to use, of lfdof.")] = None,
    defocused: Annotated[str | None, typer.Option(help="Name of the defocused pictures' folder, of folders.")] = None,
    sharp: Annotated[str | None, typer.Option(help="Name of the sharp pictures' folder, of folders.")] = None,
    radius: Annotated[float | None, typer.Option(help="Radius of the blur in pixels, of disk-blur (2).")] = None,
    noise: Annotated[float | None, typer.Option(help="Deviation of added noise, 0 to 1, of disk-blur (0).")] = None,
    lpips: Annotated[
        Path | None, typer.Option(metavar="FILE", help="torchvision's AlexNet checkpoint: measure LPIPS with it.")
    ] = None,
    st_lpips: Annotated[
        bool, typer.Option("--st-lpips", help="Measure ST-LPIPS too; needs the extra 'stlpips' (non-commercial).")
    ] = False,
    pictures: Annotated[bool, typer.Option("--pictures", help="Write the restored pictures too.")] = False,
    memory: Memory = None,
    tile: TileSide = None,
    overlap: Overlap = None,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    device: Device = "auto",
) -> None:
    """Score a network on a data set: PSNR, SSIM, MAE, feature distance, LPIPS, beside those of the blurry input.

    Two protocols: as the published test code scores (cut to multiples of 16, output not rounded), and as files on disk
    are seen (whole, 8 bits). The folder gets scores.csv, scores.json and sheet.png. Sets without truth (cuhk, pixeldp)
    are restored and not scored. Files that turn out to be broken are reported at the end, with exit code 1.
    """
    where = device_of(device)
    if dtype not in DTYPES:
        raise CommandError(f"--dtype: got {dtype!r}, want {', '.join(DTYPES)}")
    if split not in ("train", "val", "test"):
        raise CommandError(f"--split: got {split!r}, want train, val or test")
    if data != "folders" and (defocused is not None or sharp is not None):
        raise CommandError("--defocused and --sharp: only for --data folders")
    blur = _blur(data, radius, noise)
    if root is None and data in SCENE_KINDS and data != STACK:
        raise CommandError(f"--root: missing; {data} is a folder of yours (only {STACK} ships)")
    with bad_option("--memory"):
        allowed = None if memory is None else parse_size(memory)
    file = weights_file(weights)
    check_output_folder(out)
    network = load_network(file).to(where, DTYPES[dtype])
    with bad_option("--"):
        tiled = TiledNetwork(network, tile=tile, overlap=overlap)
    metrics = choose_metrics(where, lpips=lpips, st_lpips=st_lpips)
    scenes = PictureSet(
        data,
        root,
        split=split,
        dual=network.views == 2,
        listing=listing,
        defocused=defocused,
        sharp=sharp,
        radius=blur.get("radius", 0.0),
        noise=blur.get("noise", 0.0),
    )
    if scenes.truth:
        _check_sizes(scenes, least_side(metrics))
    if allowed is not None and held(where) + tiled.least > allowed:
        least = show_size(held(where) + tiled.least)
        raise CommandError(f"--memory: got {memory}, want at least {least} for the program and one small tile")

    shown, rows, written = shown_pictures(len(scenes)), {}, []

    def keep(index: int, scene: Scene, restored: torch.Tensor) -> None:
        if index in shown:
            rows[index] = tiles_of(scenes.names[index], scene, restored)
        if pictures or not scenes.truth:
            folder = make_output_folder(out / RESTORED)
            write_image(folder / f"{scenes.names[index]}.png", restored, like=scene.info)
            written.append(index)

    make_output_folder(out)
    with progress_bar() as bar:
        task = bar.add_task("evaluate", total=len(scenes))
        found = run_evaluation(
            scenes,
            restorer(network, tile=tile, overlap=overlap, memory=allowed),
            metrics,
            device=where,
            keep=keep,
            progress=lambda name: bar.advance(task),
        )
    settings = {"dtype": dtype, "device": where.type, "tile": tile, "overlap": tiled.overlap, "memory": memory}
    facts: dict[str, Any] = {
        "data": {
            "kind": data,
            "root": None if root is None else str(root),
            "split": split,
            "pictures": len(scenes),
            "truth": scenes.truth,
        }
        | blur,
        "weights": _facts(file, network),
        "settings": settings,
        "versions": {
            "lfdeblur": lfdeblur_ops.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    _report(found, scenes, facts, out, rows, len(written))
    if found.failed:
        raise typer.Exit(FAILED)


def _blur(data: str, radius: float | None, noise: float | None) -> dict[str, float]:
    """Options of ``disk-blur``."""
    given = {"radius": radius, "noise": noise}
    if data != DISK_BLUR:
        for name, value in given.items():
            if value is not None:
                raise CommandError(f"--{name}: only for --data {DISK_BLUR}")
        return {}
    limits = {"radius": (2.0, 100.0), "noise": (0.0, 1.0)}
    chosen = {}
    for name, (usual, most) in limits.items():
        value = given[name]
        chosen[name] = usual if value is None else value
        if not 0 <= chosen[name] <= most:
            raise CommandError(f"--{name}: got {value}, want 0 to {most:g}")
    return chosen


def _check_sizes(scenes: PictureSet, least: int) -> None:
    for item, (height, width) in zip(scenes.items, scenes.sizes, strict=True):
        if min(height, width) < least:
            raise CommandError(f"{item.defocused}: {width}x{height} pixels, want at least {least} along each side")


def _facts(file: Path, network: DRBNet) -> dict[str, Any]:
    return {
        "file": str(file),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "views": network.views,
        "width": network.width,
        "scales": network.scales,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }


def _report(
    found: Evaluation, scenes: PictureSet, facts: dict[str, Any], out: Path, rows: dict[int, list[Tile]], written: int
) -> None:
    done = len(scenes) - len(found.failed)
    if scenes.truth and done:
        write_csv(out / "scores.csv", found)
        write_json(out / "scores.json", found, facts)
        for protocol in PROTOCOLS:
            typer.echo(as_text(found, protocol) + "\n")
        typer.echo("gain: how much better the output is than the input; positive is better for every score")
    if rows:
        tiles = [tile for index in sorted(rows) for tile in rows[index]]
        title = f"{facts['data']['kind']}: {Path(facts['weights']['file']).name}"
        columns = len(next(iter(rows.values())))
        write_contact_sheet(out / "sheet.png", contact_sheet(tiles, columns=columns, tile_width=WIDTH, title=title))
    for reason in found.failed:
        typer.echo(f"lfdeblur: error: {' '.join(reason.split())}", err=True)
    if not scenes.truth:
        typer.echo(f"{facts['data']['kind']} has no truth: no scores")
    if written:
        typer.echo(f"{written} restored picture{'s' * (written != 1)} in {out / RESTORED}")
    typer.echo(f"{done} of {len(scenes)} pictures evaluated; results in {out}")
