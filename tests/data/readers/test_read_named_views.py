"""Folders of views by name: Stanford's gantry, Lytro's and INRIA's tools, and pictures numbered by one index."""

import pytest
import torch

from lfdeblur_models.data import read_light_field
from lfdeblur_models.io.images import ImageInfo, write_image

from .light_field_files import fails, random_views, write_views


def camera_name(end, *, rows, columns):
    def name(row, column, number):
        v, u = -400 + 30 * row * rows, 700 + 9 * column * columns
        return f"out_{row:02d}_{number:02d}_{v:.6f}_{u:.6f}{end}.png"

    return name


@pytest.mark.parametrize("end", ["", "_"])
def test_stanford_17_by_17(tmp_path, end):
    views = random_views(17, 17, c=1, h=2, w=3)
    name = camera_name(end, rows=1 if end else -1, columns=1)
    write_views(tmp_path / "chess" / "rectified", views, lambda row, column: name(row, column, column))
    got = read_light_field(tmp_path / "chess" / "rectified")
    assert (got.format, got.scene, got.grid, got.metadata["order"]) == ("stanford", "chess", (17, 17), "rows")
    assert torch.equal(got.views, views)
    part = read_light_field(tmp_path / "chess" / "rectified", rows=slice(3, 6), columns=slice(0, 4))
    assert torch.equal(part.views, views[3:6, :4])


def test_stanford_names_in_lawn_mower_order(tmp_path):
    views = random_views(4, 5)
    name = camera_name("_", rows=1, columns=1)
    write_views(tmp_path, views, lambda row, column: name(row, column, 4 - column if row % 2 == 0 else column))
    got = read_light_field(tmp_path)
    assert got.metadata["order"] == "lawn-mower"
    assert torch.equal(got.views, views)


def test_sequence_orders(tmp_path):
    """Numbered without leading zeros: the tenth comes after the ninth."""
    views = random_views(3, 4)
    numbers = {
        "rows": lambda row, column: 4 * row + column,
        "columns": lambda row, column: 3 * column + row,
        # As LFToolbox turns it back: LF(1:2:end) = LF(1:2:end, end:-1:1), which is rows 0, 2, ...
        "lawn-mower": lambda row, column: 4 * row + (3 - column if row % 2 == 0 else column),
    }
    for order, number in numbers.items():
        write_views(tmp_path / order, views, lambda row, column, number=number: f"humvee{number(row, column)}.png")
        got = read_light_field(tmp_path / order, grid=(3, 4), order=order)
        assert (got.format, got.metadata["order"]) == ("sequence", order)
        assert torch.equal(got.views, views)
    flipped = read_light_field(tmp_path / "rows", grid=(3, 4), flip="columns")
    assert torch.equal(flipped.views, views.flip(1))


def test_broken_sequences(tmp_path):
    write_views(tmp_path, random_views(3, 4), lambda row, column: f"tree_{4 * row + column:03d}.png")
    fails("got 12 pictures, want 4x4 = 16", tmp_path, grid=4)
    fails("order: got 'snake', want one of rows, columns, lawn-mower", tmp_path, grid=(3, 4), order="snake")
    fails("the format 'sequence' needs the grid's size", tmp_path, format="sequence")
    fails("no readable pattern", tmp_path)
    fails("order: only the format 'sequence' takes one, got format 'hci'", tmp_path, format="hci", order="columns")
    fails("tree_000.png: not a sequence", tmp_path / "tree_000.png", format="sequence", grid=2)


def warp_name(row, column, columns=14):
    coordinates = f"{(column + 0.5) / 14 - 0.5:.3f}_{(row + 0.5) / 14 - 0.5:.3f}"
    return f"IMG_0007_view000_warp_image{row * columns + column:03d}_{coordinates}.png"


def test_power_tools(tmp_path):
    views = random_views(14, 14, c=1, h=6, w=6)
    for row, column in ((0, 0), (0, 13), (13, 0), (13, 13)):
        views[row, column] = 0
    write_views(tmp_path, views, warp_name)
    got = read_light_field(tmp_path)
    assert (got.format, got.scene, got.grid) == ("power-tools", "IMG_0007", (14, 14))
    assert torch.equal(got.views, views)
    assert got.metadata["dark_views"] == [(0, 0), (0, 13), (13, 0), (13, 13)]
    assert got.weights.sum() == 192
    assert torch.equal(read_light_field(tmp_path, views=8).views, views[3:11, 3:11])


def test_power_tools_of_another_grid_and_16_bits(tmp_path):
    views = random_views(2, 3, dtype=torch.uint16)
    write_views(tmp_path, views, lambda row, column: warp_name(row, column, 3))
    assert torch.equal(read_light_field(tmp_path, grid=(2, 3)).views.int(), views.int())


def test_broken_power_tools(tmp_path):
    write_views(tmp_path, random_views(3, 3), lambda row, column: warp_name(row, column, 3))
    fails("got views up to image008, want 2x2", tmp_path, grid=2)
    (tmp_path / warp_name(1, 1, 3)).rename(tmp_path / "x.png")
    fails("no warp_image004 (row 1 column 1); 1 of 9 views are missing", tmp_path)
    (tmp_path / "x.png").rename(tmp_path / "IMG_0008_view000_warp_image004.png")
    fails("two light fields in one folder: IMG_0007", tmp_path)
    (tmp_path / "IMG_0008_view000_warp_image004.png").rename(tmp_path / "IMG_0007_view000_warp_image003.png")
    fails("two files for one view", tmp_path)


def test_inria_names(tmp_path):
    views = random_views(3, 3)
    write_views(tmp_path / "Bee_2", views, lambda row, column: f"Bee_2_{row}_{column}.png")
    assert torch.equal(read_light_field(tmp_path / "Bee_2").views, views)
    got = read_light_field(tmp_path / "Bee_2", format="inria")
    assert (got.format, got.lazy) == ("inria", True)
    assert torch.equal(got.views, views)
    write_views(tmp_path / "lf", views, lambda row, column: f"lf{'ab'[row % 2]}{row + 1}_{column + 1}.png")
    fails("are named differently; give a pattern", tmp_path / "lf")
    assert torch.equal(read_light_field(tmp_path / "lf", format="inria").views, views)


@pytest.mark.parametrize("side", [14, 15])
def test_eslf_of_14_and_15_pixels(tmp_path, side):
    """The picture of a Lytro Illum's size, smaller: black corner views, alpha as weight."""
    views = random_views(side, side, h=4, w=6)
    alpha = torch.full((side, side, 1, 4, 6), 255, dtype=torch.uint8)
    alpha[0, 0], views[0, 0], views[-1, -1] = 0, 0, 3
    alpha[1, 2] = 51

    def lenslets(x):
        return x.permute(2, 3, 0, 4, 1).reshape(x.shape[2], 4 * side, 6 * side).contiguous()

    path = tmp_path / "IMG_6201_eslf.png"
    write_image(path, lenslets(views), like=ImageInfo("png", 8, 3, 4 * side, 6 * side, lenslets(alpha)))
    got = read_light_field(path)
    assert (got.scene, got.grid, got.size) == ("IMG_6201", (side, side), (4, 6))
    assert torch.equal(got.views, views)
    want = torch.ones(side, side)
    want[0, 0] = want[-1, -1] = 0
    want[1, 2] = 0.2
    torch.testing.assert_close(got.weights, want)
    assert got.metadata["dark_views"] == [(0, 0), (side - 1, side - 1)]
    crop = read_light_field(path, rows=slice(1, 9), columns=slice(2, 5), crop=(1, 2, 2, 3))
    assert torch.equal(crop.views, views[1:9, 2:5, :, 1:3, 2:5])


def test_eslf_of_many_strips_and_with_padding(tmp_path):
    views = random_views(2, 3, c=1, h=75, w=9)
    picture = views.permute(2, 3, 0, 4, 1).reshape(1, 150, 27)[:, :-1, :-2].contiguous()
    write_image(tmp_path / "a.png", picture)
    want = views.clone()
    want[1, :, :, -1] = 0
    want[:, 1:, ..., -1] = 0
    assert torch.equal(read_light_field(tmp_path / "a.png", lenslet=(2, 3)).views, want)
    part = read_light_field(tmp_path / "a.png", lenslet=(2, 3), crop=(30, 4, 45, 5))
    assert torch.equal(part.views, want[..., 30:, 4:])
    alpha = torch.full((1, 149, 25), 255, dtype=torch.uint8)
    write_image(tmp_path / "b.png", picture, like=ImageInfo("png", 8, 1, 149, 25, alpha))
    assert read_light_field(tmp_path / "b.png", lenslet=(2, 3)).weights is None  # padding is not transparency


def test_a_truncated_eslf_picture(tmp_path):
    path = tmp_path / "a_eslf.png"
    write_image(path, random_views(1, 1, h=140, w=140)[0, 0])
    path.write_bytes(path.read_bytes()[:-40])
    fails("a_eslf.png: truncated or damaged", path)
