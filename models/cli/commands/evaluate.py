"""What ``lfdeblur evaluate`` takes."""

from pathlib import Path
from typing import Annotated

import typer

from ..declare import subcommand
from ..names import DTYPES, SCENE_KINDS, SPLITS
from ..options import Device, Memory, Out, Overlap, TileSide, choice


@subcommand()
def evaluate(
    data: Annotated[str, choice(SCENE_KINDS, metavar="KIND", help=f"Kind of data set: {', '.join(SCENE_KINDS)}.")],
    root: Annotated[Path | None, typer.Option(help="Folder of the data set. Default: the stack that ships.")] = None,
    out: Out = Path("evaluation"),
    weights: Annotated[
        Path | None, typer.Option(help="Published checkpoint or own weights. Default: compact, those that ship.")
    ] = None,
    split: Annotated[str, choice(SPLITS, help="train, val or test, of dpdd, lfdof and pixeldp.")] = "test",
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
    dtype: Annotated[str, choice(DTYPES, help="float32, bfloat16 or float16.")] = "float32",
    device: Device = "auto",
) -> None:
    """Score a network on a data set: PSNR, SSIM, MAE, feature distance, LPIPS, beside those of the blurry input.

    Two protocols: as the published test code scores (cut to multiples of 16, output not rounded), and as files on disk
    are seen (whole, 8 bits). The folder gets scores.csv, scores.json and sheet.png. Sets without truth (cuhk, pixeldp)
    are restored and not scored. Files that turn out to be broken are reported at the end, with exit code 1.
    """
