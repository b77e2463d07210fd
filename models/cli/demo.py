"""``lfdeblur demo``: a real light field refocused, made into a pair, and passed through DRBNet, on one sheet."""

from collections.abc import Callable
from pathlib import Path

from ..data import center_picture, disk, read_light_field, render_pairs
from ..drawing.contact_sheet import Tile, contact_sheet, write_contact_sheet
from ..evaluation.metrics import psnr
from ..inference.deblur import deblur
from ..io.atomic import check_output_folder, make_output_folder
from ..networks.weights import load_network
from .output import say
from .progress import progress_bar

ASSET = Path(__file__).parents[1] / "assets" / "chess"
STEPS = ("read the light field", "refocus and render pairs", "run DRBNet", "draw the sheet")
RADIUS = 3.0
PLANES = {"the near end": 3.3, "the middle": 1.2, "the far end": -0.2}
# Pieces at the near end, out of focus where the middle is in focus; a quarter of the picture.
DETAIL = slice(150, 390), slice(424, 848)


def run_demo(out: str | Path, progress: Callable[[str], None] = lambda step: None) -> Path:
    """Write ``demo.png`` below ``out`` (made if missing), from the light field that ships with the package.

    Args:
        out: folder.
        progress: called with the name of each of the ``STEPS`` as it begins.

    Returns: the sheet's path.

    Raises:
        OutputError: ``out`` cannot be written.
    """
    out = make_output_folder(out)
    progress(STEPS[0])
    light_field = read_light_field(ASSET)
    rows, columns = light_field.grid
    progress(STEPS[1])
    aperture = disk(light_field.grid, RADIUS)
    pairs = render_pairs(light_field, list(PLANES.values()), [aperture])[0]
    progress(STEPS[2])
    pair = pairs[1]
    detail = (slice(None), *DETAIL)
    defocused, truth = pair.defocused[detail].contiguous(), pair.truth[detail]
    restored = deblur(load_network(), defocused)
    before, after = (float(psnr(picture[None], truth[None])) for picture in (defocused, restored))
    progress(STEPS[3])
    tiles = [
        Tile(
            shown.defocused, f"refocused on {name}", f"disparity {shown.disparity:g} px per view step, disk:{RADIUS:g}"
        )
        for name, shown in zip(PLANES, pairs, strict=True)
    ]
    tiles += [
        Tile(center_picture(light_field), "centre view", f"one of {rows}x{columns} views, everything in focus"),
        Tile(defocused, "training pair: defocused", f"detail, focus on the middle; PSNR {before:.2f} dB"),
        Tile(truth, "training pair: all in focus", "the same pixels of the centre view"),
        Tile(pair.left[detail], "dual-pixel left view", "through the left half of the aperture"),
        Tile(pair.right[detail], "dual-pixel right view", "through the right half: blurred things shift"),
        Tile(restored, "restored by the weights that ship", f"PSNR {after:.2f} dB; a scene they were trained on"),
    ]
    path = out / "demo.png"
    sheet = contact_sheet(tiles, columns=3, title="lfdeblur demo: chess (The Stanford Light Field Archive)")
    write_contact_sheet(path, sheet)
    return path


def demo(
    *,
    out: Path,
    dry_run: bool,
) -> None:
    """Do what ``commands/demo.py`` declares."""
    check_output_folder(out)
    if dry_run:
        say(f"would write {out / 'demo.png'}")
        return
    with progress_bar() as progress:
        task = progress.add_task("demo", total=len(STEPS))

        def begin(step: str) -> None:
            progress.update(task, description=step, completed=STEPS.index(step))

        path = run_demo(out, begin)
        progress.update(task, completed=len(STEPS))
    say(str(path))
    say("The same light field, to focus by a click in a browser: lfdeblur view")
