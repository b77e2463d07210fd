"""What is said of formats elsewhere comes from their own entries; and the options of all readers."""

import os
import pickle
import pkgutil
import re
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

import lfdeblur_models
from docs.figures.formats import PAGE, layouts_table, table, with_tables
from lfdeblur_models.data import FORMATS, LAYOUTS, LightFieldError, ReadOptions, read_light_field, readers
from lfdeblur_models.data.readers.registry import is_named_light_field, read_as_told, scene_name
from lfdeblur_models.io.images import write_image

from .light_field_files import fails, random_views, write_views

ONE_VIEW = """
from ._format import PICTURE, Format
from ._picture_grid import file_pixels
from ..light_field import LightField


def fits(path):
    return path.name.endswith(".one.png")


def read(path, options):
    return LightField.of_lazy_views(file_pixels([[path]]))


FORMAT = Format(
    "one-view", read, fits, order=5, kind=PICTURE, looks_like="", layout="", values="", found_by="", word=".one",
    endings=("_single.one",),
)
"""
ASK = """
import sys
from pathlib import Path
import lfdeblur_models
from docs.figures.formats import table
from lfdeblur_models.cli.options import reading_options
from lfdeblur_models.data import LightFieldError, find_sources, read_light_field

folder = Path(sys.argv[1])
print([source.scene for source in find_sources(folder / "lights")])
field = read_light_field(folder / "lights" / "a_single.one.png")
print(field.format, field.grid, field.scene)
try:
    read_light_field(folder / "lights" / "a_single.one.png", flip="rows")
except LightFieldError as error:
    print(error)
try:
    read_light_field(folder / "notes.txt")
except LightFieldError as error:
    said = str(error)
help = reading_options.__annotations__["format"].__metadata__[0].help
print("(one-view, quilt" in said, "| `one-view` |" in table(), "one-view" in help)
"""


def test_every_file_has_entries_in_the_registry():
    files = {module.name for module in pkgutil.iter_modules(readers.__path__) if not module.name.startswith("_")}
    assert files - {"options", "registry"} == {entry.read.__module__.rpartition(".")[2] for entry in FORMATS.values()}
    assert list(FORMATS) == [entry.name for entry in FORMATS.values()]
    orders = [entry.order for entry in FORMATS.values()]
    assert orders == sorted(set(orders))


def test_a_format_is_one_new_file(tmp_path):
    """A package with one more reader: its entry reaches whatever is made from them."""
    package = tmp_path / "package" / "lfdeblur_models"
    shutil.copytree(
        Path(lfdeblur_models.__file__).parent, package, ignore=shutil.ignore_patterns("assets", "__pycache__")
    )
    (package / "data" / "readers" / "one_view.py").write_text(ONE_VIEW)
    (tmp_path / "lights").mkdir()
    for name in "ab":
        write_image(tmp_path / "lights" / f"{name}_single.one.png", random_views(1, 1)[0, 0])
    (tmp_path / "notes.txt").write_text("hello")
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(package.parent), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "['a', 'b']",
        "one-view (1, 1) a",
        "flip: the format 'one-view' has one fixed order of views",
        "True True True",
    ]


def test_entries_name_options_that_exist():
    names = {field.name for field in fields(ReadOptions)}
    for entry in FORMATS.values():
        assert names.issuperset(entry.options), entry.name
        assert entry.word == entry.word.lower()
        assert all(suffix == suffix.lower() for suffix in entry.suffixes)


def test_the_table_of_formats_is_that_of_the_registry():
    page = PAGE.read_text(encoding="utf-8")
    assert table() in page, "python -m docs.figures.formats"
    assert layouts_table() in page, "python -m docs.figures.formats"
    assert with_tables(page) == page
    assert set(re.findall(r"^\| `(.*?)` \|", table(), re.MULTILINE)) == {"format", *FORMATS}
    assert set(re.findall(r"^\| `(.*?)` \|", layouts_table(), re.MULTILINE)) == {"--to", *LAYOUTS}
    with pytest.raises(ValueError, match="want one table"):
        with_tables("no table")


def test_an_unknown_format_is_told_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    fails(
        "notes.txt: unknown format; looked for a folder of views (hci, power-tools, stanford, grid), "
        "Zarr (.zarr, .zip), a Lytro container (.lfp, .lfr), MATLAB 5 and 7.3 (.mat), HDF5 (.h5, .hdf5), NumPy (.npz), "
        "one picture (quilt, raw-lenslet, eslf, mosaic)",
        tmp_path / "notes.txt",
    )


def test_names_that_tell_a_light_field(tmp_path):
    for name in ("a.npz", "a.MAT", "a.h5", "a.hdf5", "a.lfp", "a.lfr", "a.zarr.zip", "a_eslf.png", "a.ESLF.jpg"):
        assert is_named_light_field(tmp_path / name), name
    for name in ("a.png", "eslf.txt", "npz", "a_mosaic.csv"):
        assert not is_named_light_field(tmp_path / name), name
    for name in ("IMG_1_eslf.png", "IMG_1.eslf.png", "IMG_1__Decoded.mat", "IMG_1.zarr.zip", "IMG_1_mosaic.tif"):
        assert scene_name(tmp_path / name) == "IMG_1"
    assert scene_name(tmp_path / "knights" / "rectified") == "knights"
    assert scene_name(tmp_path / "buddha" / "lf.h5") == "buddha"


def test_options_take_one_number_for_rows_and_columns():
    options = ReadOptions(grid=3, views=(2, 1))
    assert (options.grid, options.views, options.lenslet) == ((3, 3), (2, 1), None)
    assert replace(options, order="columns").grid == (3, 3)
    assert pickle.loads(pickle.dumps(options)) == options
    assert options != ReadOptions(grid=4, views=(2, 1))
    for told, message in {"grid": "grid: got 0x0", "lenslet": "lenslet: got 0x0", "views": "views: got 0x0"}.items():
        with pytest.raises(LightFieldError, match=message):
            ReadOptions(**{told: 0})
    with pytest.raises(TypeError, match="colour"):
        read_light_field("nowhere", colour="red")


def test_read_as_told_is_read_light_field(tmp_path):
    views = random_views(5, 4)
    write_views(tmp_path, views, lambda row, column: f"{row}_{column}.png")
    options = {"views": (3, 2), "flip": "rows", "crop": (1, 1, 3, 2)}
    one, two = read_light_field(tmp_path, "grid", **options), read_as_told(tmp_path, ReadOptions("grid", **options))
    assert torch.equal(one.views, two.views)
    assert torch.equal(one.views, views.flip(0)[1:4, 1:3, :, 1:4, 1:3])
    # One call may read many light fields, of which some are behind lenslets; of other options, each has to count.
    assert read_light_field(tmp_path, lenslet=15).format == "grid"
    fails("dataset: only the formats 'zarr', ", tmp_path, dataset="LF")


def test_a_lenslet_of_fourteen_can_be_asked_for(tmp_path):
    """Not given is something else than 14: then 15 may be seen for what it is, and padding needs a word."""
    picture = random_views(1, 1, h=45, w=30)[0, 0]
    write_image(tmp_path / "a_eslf.png", picture)
    write_image(tmp_path / "b.png", picture)
    assert read_light_field(tmp_path / "a_eslf.png").grid == (15, 15)
    assert read_light_field(tmp_path / "a_eslf.png", lenslet=14).grid == (14, 14)
    fails(
        "which lfdeblur deblur restores: got a picture of 30x45, no multiple of the lenslet",
        tmp_path / "b.png",
    )
    padded = read_light_field(tmp_path / "b.png", lenslet=14)
    assert (padded.grid, padded.size, padded.metadata["padded"]) == ((14, 14), (4, 3), True)
