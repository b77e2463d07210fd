"""The pictures of docs/light_fields.md, by the commands that stand there: ``python -m docs.figures.light_fields``.

The commands of the page run one after the other in a folder of their own, in about two minutes; then pictures of what
they left are kept.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from lfdeblur_models.cli.demo import ASSET
from lfdeblur_models.data import read_lytro
from lfdeblur_models.data.lenslets.packing import Packing

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "light_fields.md"
OUT = ROOT / "docs" / "pictures"
_DETAIL, _ENLARGED = (60, 120), 7  # pixels of the sensor, and of the picture for each


def commands(text: str) -> list[list[str]]:
    """The command lines of the page, without comments."""
    lines = re.findall(r"^\$ (lfdeblur .*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def run(folder: Path, lines: list[list[str]], scene: Path = ASSET) -> None:
    """Run commands of the page in a folder; its ``chess`` is a light field."""
    (folder / "chess").symlink_to(scene)
    for arguments in lines:
        subprocess.run([sys.executable, "-m", "lfdeblur_models.cli", *arguments], cwd=folder, check=True)


def raw_detail(capture: Path) -> Image.Image:
    """A part of the sensor, each pixel in the colour of its filter."""
    container = read_lytro(capture)
    (section,) = (one for one in container.sections if one.role == "imageRef")
    image = container.metadata["metadataRef"]["image"]
    size = image["height"], image["width"]
    data = capture.read_bytes()[section.offset : section.offset + section.size]
    details = image["rawDetails"]
    packing = Packing(details["pixelPacking"]["bitsPerPixel"], details["pixelPacking"]["endianness"])
    top, left = size[0] // 32 * 28, size[1] // 4 * 2  # on the bright cloth; even: the filters' pattern starts there
    pixels = packing.unpack(data, size)[top : top + _DETAIL[0], left : left + _DETAIL[1]].astype(float)
    shown = np.zeros((*_DETAIL, 3))
    for y, x, channel in ((0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 0)):  # BGGR
        shown[y::2, x::2, channel] = pixels[y::2, x::2]
    encoded = (shown / pixels.max()) * 255
    picture = Image.fromarray(encoded.astype(np.uint8))
    return picture.resize((_DETAIL[1] * _ENLARGED, _DETAIL[0] * _ENLARGED), Image.Resampling.NEAREST)


def keep(folder: Path) -> None:
    """Pictures of what the commands left."""
    raw_detail(folder / "chess.lfp").save(OUT / "light_field_raw.png", optimize=True)
    with Image.open(folder / "look" / "contact_sheet.png") as sheet:
        sheet.convert("RGB").resize((1100, round(sheet.height * 1100 / sheet.width))).save(
            OUT / "light_field_sheet.webp", quality=80
        )
    shutil.copy(folder / "depth" / "disparity_coloured.png", OUT / "light_field_depth.png")
    (plane,) = (folder / "pawn").glob("plane_*.png")
    pair = [Image.open(path).convert("RGB") for path in (plane, folder / "sharp" / "all_in_focus.png")]
    joined = np.concatenate([np.asarray(picture) for picture in pair], 1)
    Image.fromarray(joined).save(OUT / "light_field_focus.webp", quality=85)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        run(Path(name), commands(PAGE.read_text()))
        keep(Path(name))
