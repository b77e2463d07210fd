"""The pictures of ``docs/geometry.md``: ``python -m docs.figures.geometry`` (needs the extra ``bench``).

The light field in them is the one that ships with the package.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle
from PIL import Image

from lfdeblur_models.cli.demo import ASSET
from lfdeblur_models.data import (
    Aperture,
    Recipe,
    defocus_map,
    estimate_disparity_map,
    generate,
    left_half,
    read_light_field,
    refocus_light,
    right_half,
)
from lfdeblur_models.data.depth.disparity_range import estimate_disparity_range
from lfdeblur_models.data.overview import overview
from lfdeblur_models.data.rendering.pairs import encode
from lfdeblur_models.drawing.animation import write_animation
from lfdeblur_models.drawing.contact_sheet import thumbnail
from lfdeblur_models.io.images import read_image

OUT = Path(__file__).parents[1] / "pictures"
NEAR, FOCUS, FAR = "#d1495b", "#2e4057", "#00798c"
WIDTH = 5.2  # inches: 360 pixels of a telephone then show 9 points as 9 pixels
PIECE = (330, 640)  # row and column of a near piece of the centre view, for the epipolar image


def main() -> None:
    OUT.mkdir(exist_ok=True)
    plt.switch_backend("Agg")
    plt.rcParams.update({"font.size": 9, "savefig.bbox": "tight", "axes.titlesize": 9.5})
    light_field = read_light_field(ASSET)
    light_field = light_field.copy(disparity_range=estimate_disparity_range(light_field))
    disparity = estimate_disparity_map(light_field)
    lens()
    sign(light_field, disparity)
    apertures()
    defocus(light_field, disparity)
    planes(light_field)
    sheets(light_field)


def lens() -> None:
    """Rays through a lens whose aperture is sampled by the views: what is nearer or farther draws a spot."""
    figure, axis = plt.subplots(figsize=(6.2, 3.6))
    sensor, aperture = 3.0, 1.0
    points = {
        "farther\nd < focus": (-11.0, FAR),
        "in focus\nd = focus": (-7.0, FOCUS),
        "nearer\nd > focus": (-3.2, NEAR),
    }
    focal = 1 / (1 / 7.0 + 1 / sensor)
    for i, (name, (z, colour)) in enumerate(points.items()):
        image = 1 / (1 / focal + 1 / z)  # where this point's rays meet
        for y in torch.linspace(-aperture, aperture, 7).tolist():
            axis.plot([z, 0, sensor], [0, y, y * (1 - sensor / image)], color=colour, lw=0.7, alpha=0.8)
        spot = max(aperture * abs(1 - sensor / image), 0.02)
        axis.plot([sensor + 0.45 * (i + 1)] * 2, [-spot, spot], color=colour, lw=5, solid_capstyle="butt")
        axis.plot(z, 0, "o", color=colour, ms=7, zorder=3)
        style = {"color": colour, "ha": "center", "va": "top", "fontweight": "bold"}
        axis.annotate(name, (z, -0.06), (z, -1.2), arrowprops={"arrowstyle": "-", "color": colour}, **style)
    for y in torch.linspace(-aperture, aperture, 7).tolist():
        axis.add_patch(Rectangle((-0.12, y - 0.11), 0.24, 0.22, color="0.25"))
    axis.text(0, aperture + 0.2, "views: samples\nof the aperture", ha="center")
    axis.plot([sensor] * 2, [-aperture, aperture], color="0.4", lw=1.5)
    axis.text(sensor, -aperture - 0.2, "sensor", ha="center", va="top")
    axis.text(sensor + 0.9, 0.75, "spots", ha="center")
    axis.set_ylim(-1.65, 1.6)
    axis.axis("off")
    _save(figure, "lens.png")


def sign(light_field, disparity) -> None:
    """The same rows of all views of the middle row above each other: lines whose slope is the disparity."""
    rows, columns = light_field.grid
    y, x = PIECE
    figure, (above, below) = plt.subplots(2, figsize=(WIDTH, 6.2), height_ratios=[1.15, 1], layout="constrained")
    above.imshow(light_field.center.permute(1, 2, 0))
    above.axhline(y, color="w", lw=1.5)
    above.add_patch(Rectangle((x - 60, y - 60), 120, 120, fill=False, ec="w", lw=1.5))
    above.annotate(f"row {y}", (8, y - 6), color="w", fontweight="bold")
    above.annotate("this piece,\nbelow", (x - 66, y - 20), color="w", fontweight="bold", ha="right", va="bottom")
    above.set_title("centre view")
    above.axis("off")
    image = light_field.views[rows // 2, :, :, y, x - 60 : x + 60].permute(0, 2, 1)
    below.imshow(image, aspect="auto", extent=(x - 60, x + 60, columns - 0.5, -0.5), interpolation="nearest")
    bright = x - 60 + int(image[columns // 2, :60].float().mean(-1).argmax())
    d, middle = float(disparity[y, bright]), (columns - 1) / 2
    views = torch.arange(columns)
    below.plot(bright + 0.5 - d * (views - middle), views, "o-", color="#ffd166", lw=2, ms=5)
    below.annotate(
        f"one thing in all views:\n{d:.1f} pixels to the left at each step,\nso d = {d:.1f}, and it is near",
        (bright + 2, middle),
        (bright + 12, columns - 1.5),
        color="w",
        fontweight="bold",
        va="center",
        arrowprops={"arrowstyle": "->", "color": "w"},
        bbox={"fc": "black", "alpha": 0.6, "ec": "none"},
    )
    below.set(xlabel="x, pixels", ylabel="u: view, left to right", title=f"row {y} of all {columns} views")
    _save(figure, "sign.png", dpi=150)


def apertures() -> None:
    """The shapes as weights of 9x9 views, and what cat's eye becomes over the picture."""
    grid = (9, 9)
    disk = Aperture("disk", 3.5).weights(grid)
    shapes = {
        "disk:3.5\n": disk,
        "polygon:4:6:15\n": Aperture("polygon", 4, blades=6, rotation=15).weights(grid),
        "square:3\n": Aperture("square", 3).weights(grid),
        "annulus:4:2\n": Aperture("annulus", 4, inner=2).weights(grid),
        "cateye:3.5:0.8\ncentre": Aperture("cateye", 3.5, cut=0.8).weights(grid),
        "cateye:3.5:0.8\nlower right": Aperture("cateye", 3.5, cut=0.8).weights(grid, (0.6, 0.8)),
        "disk:3.5\nleft half": left_half(disk),
        "disk:3.5\nright half": right_half(disk),
    }
    figure, axes = plt.subplots(2, len(shapes) // 2, figsize=(WIDTH, 3.5), layout="constrained")
    for axis, (name, weights) in zip(axes.flat, shapes.items(), strict=True):
        axis.imshow(weights, cmap="gray", vmin=0, vmax=1)
        axis.set_title(name.strip(), fontsize=8.5)
        axis.set_xticks([])
        axis.set_yticks([])
    _save(figure, "apertures.png")


def defocus(light_field, disparity) -> None:
    """One plane in focus: the picture, the disparity, and the map of the circle of confusion."""
    focus, diameter = 1.2, 6.0
    picture = encode(refocus_light(light_field, focus, Aperture("disk", diameter / 2).weights(light_field.grid)))
    coc = defocus_map(disparity, focus, diameter)
    figure, axes = plt.subplot_mosaic("AA;BC", figsize=(WIDTH, 5.1), height_ratios=[1.6, 1], layout="constrained")
    axes["A"].imshow(picture.permute(1, 2, 0).clamp(0, 1))
    axes["A"].set_title(f"defocused: focus {focus:g}, disk:{diameter / 2:g}")
    shown = axes["B"].imshow(disparity, cmap="viridis")
    axes["B"].set_title("disparity d,\npixels per view step")
    figure.colorbar(shown, ax=axes["B"], location="bottom")
    reach = float(coc.abs().max())
    shown = axes["C"].imshow(coc, cmap="coolwarm", vmin=-reach, vmax=reach)
    axes["C"].set_title(f"defocus map:\n{diameter:g} (d - {focus:g}), pixels")
    figure.colorbar(shown, ax=axes["C"], location="bottom")
    for axis in axes.values():
        axis.axis("off")
    _save(figure, "defocus.png", dpi=150)


def planes(light_field) -> None:
    """A focal stack as `lfdeblur refocus` writes it."""
    low, high = light_field.disparity_range
    weights = Aperture("disk", 3).weights(light_field.grid)
    stack = encode(refocus_light(light_field, torch.linspace(low, high, 12).tolist(), weights))
    write_animation(OUT / "focal_stack.webp", [thumbnail(picture, 420) for picture in stack])


def sheets(light_field) -> None:
    """The sheets that `lfdeblur info` and `lfdeblur generate` write."""
    sheet = overview(light_field)
    sheet.thumbnail((1000, 1000))
    sheet.save(OUT / "info.jpg", quality=80)
    with tempfile.TemporaryDirectory() as folder:
        made = generate(
            [light_field], folder, Recipe(apertures=(Aperture("disk", 1.5), Aperture("disk", 3.0)), planes=4)
        )
        assert not made.failures
        sheet, _ = read_image(Path(folder) / "contact_sheets" / f"{light_field.scene}.jpg")
        image = Image.fromarray(sheet.permute(1, 2, 0).numpy())
        image.thumbnail((1000, 1000))
        image.save(OUT / "generate.jpg", quality=80)


def _save(figure, name: str, dpi: int = 190) -> None:
    figure.savefig(OUT / name, dpi=dpi, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
