"""``lfdeblur evaluate``."""

import hashlib
import platform
from pathlib import Path
from typing import Any

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
from ..system.progress import Progress
from .options import CommandError, bad_option, device_of, dtype_of
from .output import failed, note, say
from .progress import progress_bar

FAILED = 1
RESTORED = "restored"


def evaluate(
    *,
    data: str,
    root: Path | None,
    out: Path,
    weights: Path | None,
    split: str,
    listing: Path | None,
    defocused: str | None,
    sharp: str | None,
    radius: float | None,
    noise: float | None,
    lpips: Path | None,
    st_lpips: bool,
    pictures: bool,
    memory: str | None,
    tile: int | None,
    overlap: int | None,
    dtype: str,
    device: str,
    dry_run: bool,
) -> None:
    """Do what ``commands/evaluate.py`` declares."""
    where = device_of(device)
    if data != "folders" and (defocused is not None or sharp is not None):
        raise CommandError("--defocused and --sharp: only for --data folders")
    blur = _blur(data, radius, noise)
    if root is None and data in SCENE_KINDS and data != STACK:
        raise CommandError(f"--root: missing; {data} is a folder of yours (only {STACK} ships)")
    allowed = None if memory is None else parse_size(memory)
    file = weights_file(weights)
    check_output_folder(out)
    network = load_network(file).to(where, dtype_of(dtype))
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

    if dry_run:
        truth = "scored" if scenes.truth else "restored, not scored: they have no truth"
        say(f"{len(scenes)} pictures of {data}, {truth}; weights {file}, {dtype} on {where.type}")
        say(f"would write the results to {out}")
        return
    make_output_folder(out)
    with progress_bar() as bar:
        task = bar.add_task("evaluate", total=len(scenes))

        def show(told: Progress) -> None:
            bar.update(task, completed=told.done)
            note(f"{told.name}: {told.done} of {told.total}")

        found = run_evaluation(
            scenes,
            restorer(network, tile=tile, overlap=overlap, memory=allowed),
            metrics,
            device=where,
            keep=keep,
            report=show,
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
            say(as_text(found, protocol) + "\n")
        say("gain: how much better the output is than the input; positive is better for every score")
    if rows:
        tiles = [tile for index in sorted(rows) for tile in rows[index]]
        title = f"{facts['data']['kind']}: {Path(facts['weights']['file']).name}"
        columns = len(next(iter(rows.values())))
        write_contact_sheet(out / "sheet.png", contact_sheet(tiles, columns=columns, tile_width=WIDTH, title=title))
    for reason in found.failed:
        failed(f"error: {reason}")
    if not scenes.truth:
        say(f"{facts['data']['kind']} has no truth: no scores")
    if written:
        say(f"{written} restored picture{'s' * (written != 1)} in {out / RESTORED}")
    say(f"{done} of {len(scenes)} pictures evaluated; results in {out}")
