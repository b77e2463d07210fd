"""What the shipped weights do to the real pairs that ship: ``python -m docs.figures.restored``.

All of them, with error maps, for the model card; and two for the README.
"""

from pathlib import Path

from lfdeblur_models import load_network, optimize
from lfdeblur_models.drawing.contact_sheet import contact_sheet
from lfdeblur_models.evaluation.evaluate import restorer
from lfdeblur_models.evaluation.picture_sets import STACK, PictureSet
from lfdeblur_models.evaluation.sheet import WIDTH, tiles_of

OUT = Path(__file__).parents[1] / "pictures"
SHOWN = ("depthmap_040_400_1", "depthmap_380_754_4")


def main() -> None:
    scenes, restore = PictureSet(STACK, None), restorer(optimize(load_network().eval()))
    rows = {}
    for index, name in enumerate(scenes.names):
        scene = scenes[index]
        rows[name] = tiles_of(name, scene, restore(scene))
    everything = contact_sheet([tile for row in rows.values() for tile in row], columns=5, tile_width=270)
    everything.save(OUT / "stack.jpg", quality=85)
    some = contact_sheet([tile for name in SHOWN for tile in rows[name][:3]], columns=3, tile_width=WIDTH)
    some.save(OUT / "restored.jpg", quality=88)


if __name__ == "__main__":
    main()
