"""What ``lfdeblur generate`` takes."""

from typing import Annotated

import typer

from ..declare import subcommand
from ..names import APERTURE_FORMS, INTERPOLATIONS, PAIR_LAYOUTS, PLACEMENTS, TRUTHS
from ..options import check_shape, checked, choice


@subcommand(reads=True)
def generate(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Light fields; folders of RGB-D (NAME_color, NAME_depth) or stereo with disparity (Middlebury); "
            "photographs; folders of such folders; or lf:PATH, rgbd:COLOUR,DEPTH, stereo:LEFT,DISPARITY, photo:PATH.",
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder, made if missing, or a URL that fsspec writes to (s3://...).")],
    aperture: Annotated[
        list[str] | None,
        checked(check_shape, help=f"{APERTURE_FORMS}, R in view steps; repeat for several."),
    ] = None,
    disparity: Annotated[
        str | None, typer.Option(help="Focus planes: FIRST:LAST:COUNT or numbers with commas; default: --planes.")
    ] = None,
    planes: Annotated[int, typer.Option(help="Focus planes per scene, where --disparity does not tell them.")] = 5,
    placement: Annotated[
        str, choice(PLACEMENTS, help="even over the scene's disparity range, or by its content (texture).")
    ] = "even",
    truth: Annotated[
        str,
        choice(
            TRUTHS, help="center (view), refocus (all views by the disparity map), or both; their difference is told."
        ),
    ] = "center",
    scale: Annotated[int, typer.Option(help="1, or 2 for twice the views' resolution.")] = 1,
    noise: Annotated[str | None, typer.Option(help="Sensor noise SHOT:READ in units of white, as 0.001:0.002.")] = None,
    bits: Annotated[int, typer.Option(help="8 or 16 per channel.")] = 8,
    dual_pixel: Annotated[bool, typer.Option("--dual-pixel", help="Also write the left and right views.")] = False,
    defocus_maps: Annotated[bool, typer.Option(help="Write a defocus map with every pair.")] = True,
    contact_sheets: Annotated[bool, typer.Option(help="Write a sheet of small pictures per scene.")] = True,
    layout: Annotated[str, choice(PAIR_LAYOUTS, help="lfdof (folders) or webdataset (tar shards).")] = "lfdof",
    shard_scenes: Annotated[int, typer.Option(help="Scenes in a shard of webdataset.")] = 8,
    interpolation: Annotated[str, choice(INTERPOLATIONS, help="nearest, bilinear or bicubic.")] = "bilinear",
    seed: Annotated[int, typer.Option(min=0, help="Of all that is random.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    ray: Annotated[bool, typer.Option("--ray", help="Run as a Ray pipeline; needs the extra 'ray'.")] = False,
    spread: Annotated[
        float, typer.Option(help="Disparity from far to near of light fields made from one picture.")
    ] = 3.0,
) -> None:
    """Make training pairs: input/SCENE/SCENE_apA_PP.png and ground_truth/SCENE.png as in LFDOF, and manifest.parquet.

    The same command goes on where a stopped one was. Broken scenes are listed in report.json; the exit code is then 1.
    """
