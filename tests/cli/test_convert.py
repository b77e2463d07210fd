"""``lfdeblur convert`` and ``lfdeblur epi``, as a user types them."""

import pytest
import torch
from PIL import Image

from lfdeblur_models.data import LightField, read_light_field
from lfdeblur_models.io.images import read_image, write_image

from ..data.noise_views import make_light_field
from ..data_paths import data_folder


@pytest.fixture
def field(tmp_path):
    return make_light_field(tmp_path / "toy")


def test_there_and_back(run, field, tmp_path):
    """Each layout is the source of the next; the views come home as they were."""
    source, out = field, tmp_path / "out"
    steps = (("hci", "toy"), ("eslf", "toy_eslf.png"), ("lftoolbox", "toy__Decoded.mat"), ("zarr", "toy.zarr"))
    for layout, name in (*steps, ("h5", "toy.h5"), ("mosaic", "toy_mosaic.png"), ("npz", "toy.npz"), ("views", "toy")):
        options = {"toy_eslf.png": ["--lenslet", 3], "toy_mosaic.png": ["--grid", "3x3"]}.get(source.name, [])
        code, said, err = run("convert", source, *options, "--to", layout, "--out", out / layout)
        assert (code, err) == (0, "")
        assert said.splitlines()[0] == str(out / layout / name)
        source = out / layout / name
    assert torch.equal(read_light_field(source).views, read_light_field(field).views)


def test_what_is_lost_is_said_once(run, tmp_path):
    for scene in "ab":
        light_field = LightField(
            torch.zeros(3, 3, 1, 4, 4, dtype=torch.uint8), "linear", scene=scene, disparity=torch.zeros(4, 4)
        )
        light_field.save(tmp_path / "in" / f"{scene}.npz")
    LightField(torch.zeros(3, 3, 1, 4, 4, dtype=torch.uint8)).save(tmp_path / "in" / "c.npz")
    code, said, err = run("convert", tmp_path / "in", "--to", "mosaic", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert said.splitlines() == [
        f"3 light fields as mosaic in {tmp_path / 'out'}",
        "mosaic tells no transfer function: it means srgb, read it with --transfer linear, or write it "
        "with --encode srgb (a, b)",
        "mosaic holds no disparity: left out (a, b)",
        "to read it: --grid 3x3",
    ]
    _, said, _ = run("convert", tmp_path / "in", "--to", "mosaic", "--out", tmp_path / "out")
    assert said.startswith(f"3 light fields as mosaic in {tmp_path / 'out'}, of which 3 were there already\n")
    _, said, _ = run("convert", tmp_path / "in" / "c.npz", "--to", "h5", "--out", tmp_path / "one")
    assert said == f"{tmp_path / 'one' / 'c.h5'}\n"
    _, said, _ = run("convert", tmp_path / "in" / "c.npz", "--to", "h5", "--out", tmp_path / "one")
    assert said == f"{tmp_path / 'one' / 'c.h5'} (was there already)\n"


def test_reading_options_hold_for_what_is_converted(run, field, tmp_path):
    run("convert", field, "--views", 1, "--transfer", "linear", "--to", "npz", "--out", tmp_path / "out")
    got = read_light_field(tmp_path / "out" / "toy.npz")
    assert (got.grid, got.transfer) == ((1, 1), "linear")
    assert torch.equal(got.views[0, 0], read_light_field(field).center)


def test_a_photograph_with_its_depth_becomes_a_light_field(run, tmp_path):
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "a_color.png", torch.full((3, 24, 32), 99, dtype=torch.uint8))
    write_image(tmp_path / "in" / "a_depth.png", torch.full((1, 24, 32), 99, dtype=torch.uint8))
    options = ("--encode", "srgb", "--bits", 8)
    code, said, _ = run("convert", tmp_path / "in", "--to", "hci", *options, "--out", tmp_path / "out")
    assert code == 0
    assert said.splitlines()[1:3] == [
        "values were encoded anew, from linear to srgb",
        "values were rounded to 8 bits",
    ]
    got = read_light_field(tmp_path / "out" / "a")
    assert got.grid == (9, 9)
    assert got.views.unique().tolist() == [99]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "raw"], "--to: got 'raw', want one of hci, views, mosaic"),
        (["--to", "hci", "--bits", 12], "--bits: got 12, want 8 or 16"),
        (["--to", "hci", "--encode", "log"], "--encode: got 'log', want srgb or linear"),
        (["--to", "hci", "--grid", "3"], "--grid: got '3'"),
        ([], "Missing option"),
    ],
)
def test_bad_arguments_of_convert(run, field, tmp_path, arguments, said):
    code, out, err = run("convert", field, "--out", tmp_path / "out", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_there_stays(run, field, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "toy.npz").write_text("mine")
    code, _, err = run("convert", field, "--to", "npz", "--out", tmp_path / "out")
    path = tmp_path / "out" / "toy.npz"
    refused = f"{path}: is there already, and not from this command; --overwrite replaces it"
    assert (code, err) == (1, f"lfdeblur: not converted: toy: {refused}\n")
    assert path.read_text() == "mine"
    assert run("convert", field, "--to", "npz", "--out", tmp_path / "out", "--overwrite")[0] == 0
    assert torch.equal(read_light_field(path).views, read_light_field(field).views)
    code, _, err = run("convert", tmp_path / "nowhere", "--to", "npz", "--out", tmp_path / "out")
    assert (code, err) == (2, f"lfdeblur: error: {tmp_path / 'nowhere'}: no such file or folder\n")


def test_epi(run, field, tmp_path):
    code, said, err = run("epi", field, "--row", 4, "--enlarge", 1, "--out", tmp_path / "a.png")
    assert (code, said, err) == (0, f"{tmp_path / 'a.png'}\n", "")
    views = read_light_field(field)
    assert torch.equal(read_image(tmp_path / "a.png")[0], views.epi(row=4))
    run("epi", field, "--column", 3, "--view-column", 2, "--enlarge", 2, "--out", tmp_path / "b.png")
    want = views.epi(column=3, view_column=2).repeat_interleave(2, 1)
    assert torch.equal(read_image(tmp_path / "b.png")[0], want)


def test_epi_of_several_lines(run, field, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, said, _ = run("epi", field)
    assert (code, said) == (0, "2 epipolar images in epi/toy\n")
    with Image.open("epi/toy/row_0006.png") as picture:
        assert picture.size == (10, 3 * 53)
    with Image.open("epi/toy/column_0005.png") as picture:
        assert picture.size == (12, 3 * 53)
    run("epi", field, "--row", 1, "--row", 2, "--column", 9, "--view-row", 0, "--out", "some")
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == [
        "column_0009.png",
        "row_0001.png",
        "row_0002.png",
    ]


def test_epi_of_sixteen_bits_and_linear_light(run, tmp_path):
    field = make_light_field(tmp_path / "deep", dtype=torch.uint16)
    run("epi", field, "--row", 0, "--enlarge", 1, "--out", tmp_path / "a.png")
    assert torch.equal(read_image(tmp_path / "a.png")[0].int(), read_light_field(field).epi(row=0).int())
    LightField(torch.full((2, 2, 1, 4, 4), 0.5), transfer="linear").save(tmp_path / "grey.npz")
    run("epi", tmp_path / "grey.npz", "--row", 0, "--out", tmp_path / "b.png")
    assert read_image(tmp_path / "b.png")[0].unique().tolist() == [188]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--row", 99], "row: got 99, want 0 to 11"),
        (["--row", 1, "--column", -2], "column: got -2, want 0 to 9"),
        (["--row", 1, "--view-row", 3], "view_row: got 3, want 0 to 2"),
        (["--row", 1, "--view-column", 1], "epi: got view_column 1 beside a row of pixels, want view_row"),
        (["--row", 1, "--enlarge", 10**8], "--enlarge"),
        (["--row", 1, "--row", 2, "--out", "a.png"], "--out: got the picture file a.png, want a folder, or one --row"),
        (["--out", "a.png"], "--out: got the picture file a.png"),
    ],
)
def test_bad_arguments_of_epi(run, field, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("epi", field, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["toy"]


@pytest.mark.slow
def test_real_light_fields_come_home_by_way_of_every_layout(run, tmp_path):
    """A Lytro's views with alpha or dark corners, and a gantry's."""
    for name in ("lf-lytro-2067", "lf-stanford-chess"):
        whole = read_light_field(data_folder(name))
        for layout, file, options in (
            ("eslf", f"{name}_eslf.png", {"lenslet": whole.grid}),
            ("lftoolbox", f"{name}__Decoded.mat", {}),
            ("zarr", f"{name}.zarr", {}),
        ):
            assert run("convert", data_folder(name), "--to", layout, "--out", tmp_path)[0] == 0
            got = read_light_field(tmp_path / file, **options)
            assert torch.equal(got.views, whole.views)
            assert got.transfer == (whole.transfer if layout != "eslf" else "srgb")
