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
PIECE = (330, 640)  # row and column of a near piece of the centre view, for the epipolar image


def main() -> None:
    OUT.mkdir(exist_ok=True)
    plt.switch_backend("Agg")
    plt.rcParams.update({"font.size": 9, "savefig.dpi": 95, "savefig.bbox": "tight", "axes.titlesize": 9})
    light_field = read_light_field(ASSET)
    light_field = light_field.copy(disparity_range=estimate_disparity_range(light_field))
    disparity = estimate_disparity_map(light_field)
    lens()
    sign(light_field)
    apertures()
    defocus(light_field, disparity)
    planes(light_field)
    sheets(light_field)


def lens() -> None:
    """Rays through a lens whose aperture is sampled by the views: what is nearer or farther draws a spot."""
    figure, axis = plt.subplots(figsize=(7.5, 2.7))
    sensor, aperture = 3.0, 1.0
    points = {
        "nearer: d > focus": (-3.5, NEAR),
        "in focus: d = focus": (-6.0, FOCUS),
        "farther: d < focus": (-11.0, FAR),
    }
    focal = 1 / (1 / 6.0 + 1 / sensor)
    for i, (name, (z, colour)) in enumerate(points.items()):
        image = 1 / (1 / focal + 1 / z)  # where this point's rays meet
        for y in torch.linspace(-aperture, aperture, 7).tolist():
            axis.plot([z, 0], [0, y], color=colour, lw=0.6)
            axis.plot([0, sensor], [y, y * (1 - sensor / image)], color=colour, lw=0.6)
        spot = aperture * abs(1 - sensor / image)
        axis.plot([sensor + 0.2 * (i + 1)] * 2, [-spot, spot], color=colour, lw=3, solid_capstyle="butt")
        axis.plot(z, 0, "o", color=colour, ms=4)
        axis.annotate(name, (z, -0.75 - 0.22 * (i == 1)), color=colour, ha="center")
    axis.plot([0, 0], [-aperture, aperture], "k|", ms=1)
    for y in torch.linspace(-aperture, aperture, 7).tolist():
        axis.add_patch(Rectangle((-0.07, y - 0.11), 0.14, 0.22, color="0.25"))
    axis.annotate("views:\nsamples of the aperture", (0, aperture + 0.22), ha="center")
    axis.annotate("sensor", (sensor, aperture + 0.22), ha="center")
    axis.plot([sensor] * 2, [-aperture, aperture], color="0.6", lw=1)
    axis.annotate("spots", (sensor + 0.75, -0.05))
    axis.set_ylim(-1.2, 1.7)
    axis.axis("off")
    _save(figure, "lens.png")


def sign(light_field) -> None:
    """The same rows of all views of the middle row above each other: lines whose slope is the disparity."""
    rows, columns = light_field.grid
    y, x = PIECE
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.5), width_ratios=[1.35, 1])
    left.imshow(light_field.center.permute(1, 2, 0))
    left.axhline(y, color="w", lw=1)
    left.add_patch(Rectangle((x - 60, y - 60), 120, 120, fill=False, ec="w"))
    left.set_title(f"centre view; the white row {y} in all views at the right")
    image = light_field.views[rows // 2, :, :, y, x - 60 : x + 60].permute(0, 2, 1)
    right.imshow(image, aspect="auto", extent=(x - 60, x + 60, columns - 0.5, -0.5), interpolation="nearest")
    right.set_xlabel("x, pixels")
    right.set_ylabel("u (view), left to right")
    right.set_title("farther right in u: near things move left")
    left.axis("off")
    _save(figure, "sign.png")


def apertures() -> None:
    """The shapes as weights of 9x9 views, and what cat's eye becomes over the picture."""
    grid = (9, 9)
    disk = Aperture("disk", 3.5).weights(grid)
    shapes = {
        "disk:3.5": disk,
        "polygon:4:6:15": Aperture("polygon", 4, blades=6, rotation=15).weights(grid),
        "square:3": Aperture("square", 3).weights(grid),
        "annulus:4:2": Aperture("annulus", 4, inner=2).weights(grid),
        "cateye:3.5:0.8\ncentre": Aperture("cateye", 3.5, cut=0.8).weights(grid),
        "cateye:3.5:0.8\nlower right": Aperture("cateye", 3.5, cut=0.8).weights(grid, (0.6, 0.8)),
        "disk:3.5\nleft half": left_half(disk),
        "disk:3.5\nright half": right_half(disk),
    }
    figure, axes = plt.subplots(1, len(shapes), figsize=(9.5, 1.6))
    for axis, (name, weights) in zip(axes, shapes.items(), strict=True):
        axis.imshow(weights, cmap="gray", vmin=0, vmax=1)
        axis.set_title(name, fontsize=7)
        axis.set_xticks([])
        axis.set_yticks([])
    _save(figure, "apertures.png")


def defocus(light_field, disparity) -> None:
    """One plane in focus: the picture, the disparity, and the map of the circle of confusion."""
    focus, diameter = 1.2, 6.0
    picture = encode(refocus_light(light_field, focus, Aperture("disk", diameter / 2).weights(light_field.grid)))
    coc = defocus_map(disparity, focus, diameter)
    figure, axes = plt.subplots(1, 3, figsize=(10, 2.3), layout="constrained")
    axes[0].imshow(picture.permute(1, 2, 0).clamp(0, 1))
    axes[0].set_title(f"defocused: focus {focus:g}, disk:{diameter / 2:g}")
    shown = axes[1].imshow(disparity, cmap="viridis")
    axes[1].set_title("disparity d, pixels per view step")
    figure.colorbar(shown, ax=axes[1], shrink=0.8)
    reach = float(coc.abs().max())
    shown = axes[2].imshow(coc, cmap="coolwarm", vmin=-reach, vmax=reach)
    axes[2].set_title(f"defocus map: {diameter:g} (d - {focus:g}), pixels")
    figure.colorbar(shown, ax=axes[2], shrink=0.8)
    for axis in axes:
        axis.axis("off")
    _save(figure, "defocus.png")


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


def _save(figure, name: str) -> None:
    figure.savefig(OUT / name, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
