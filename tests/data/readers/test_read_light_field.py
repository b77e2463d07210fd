"""Readers: bit-exact, in our geometry, and every way in which a light field can be broken."""

import struct

import numpy as np
import pytest
import torch

import lfdeblur_ops
from lfdeblur_models.cli.demo import ASSET
from lfdeblur_models.data import LightField, LightFieldError, read_light_field, read_pfm
from lfdeblur_models.io.images import ImageInfo, write_image

from ...data_paths import data_folder
from .light_field_files import H, U, V, W, fails, random_views, write_views


def write_hci(folder, views):
    write_views(folder, views, lambda row, column: f"input_Cam{row * views.shape[1] + column:03d}.png")


def write_pfm(path, values, order="<", comment=b""):
    scale = b"-1.0" if order == "<" else b"1.0"
    header = b"Pf\n" + comment + b"%d %d\n" % (values.shape[1], values.shape[0]) + scale + b"\n"
    path.write_bytes(header + values[::-1].astype(order + "f4").tobytes())


def cfg(rows, columns, extra=""):
    return f"[extrinsics]\nnum_cams_x = {columns}\nnum_cams_y = {rows}\n[meta]\nscene = toy\n{extra}"


# Formats


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(
    "name",
    ["view_r{:02d}_c{:02d}", "2067_{:02d}_{:02d}", "{}_{}", "scene12-{}x{}_small"],
)
def test_grid_is_bit_exact(tmp_path, dtype, channels, suffix, name):
    views = random_views(c=channels, dtype=dtype)
    write_views(tmp_path / "toy", views, lambda row, column: f"{name.format(row + 1, column + 4)}.{suffix}")
    got = read_light_field(tmp_path / "toy")
    assert (got.format, got.scene, got.transfer, got.grid, got.size) == ("grid", "toy", "srgb", (V, U), (H, W))
    assert got.views.dtype == dtype
    assert torch.equal(got.views.int(), views.int())
    assert (got.metadata["first_row"], got.metadata["first_column"]) == (1, 4)
    assert got.disparity_range is None
    assert got.weights is None


def test_grid_reads_lossless_webp_and_leaves_other_pictures_out(tmp_path):
    views = random_views()
    write_views(tmp_path, views, lambda row, column: f"{row}_{column}.webp")
    write_image(tmp_path / "thumbnail.png", views[0, 0])
    (tmp_path / "notes.txt").write_text("hello")
    got = read_light_field(tmp_path)
    assert torch.equal(got.views, views)
    assert got.metadata["ignored"] == ["thumbnail.png"]


def test_grid_pattern_names_row_and_column(tmp_path):
    views = random_views()
    write_views(tmp_path, views, lambda row, column: f"x{column}y{row}t7.png")
    got = read_light_field(tmp_path, pattern=r"x(?P<col>\d+)y(?P<row>\d+)t7")
    assert torch.equal(got.views, views)


def test_flip_turns_the_order(tmp_path):
    views = random_views()
    write_views(tmp_path, views, lambda row, column: f"{row}_{column}.png")
    for flip, axes in {"rows": [0], "columns": [1], "both": [0, 1]}.items():
        assert torch.equal(read_light_field(tmp_path, flip=flip).views, views.flip(axes))


def test_central_views_only(tmp_path):
    views = random_views(5, 4)
    write_views(tmp_path, views, lambda row, column: f"{row}_{column}.png")
    (tmp_path / "0_0.png").write_bytes(b"not decoded, so not looked at")
    assert torch.equal(read_light_field(tmp_path, views=(3, 2)).views, views[1:4, 1:3])


def test_hci_with_parameters_and_disparity(tmp_path):
    views = random_views()
    write_hci(tmp_path / "scene", views)
    (tmp_path / "scene" / "parameters.cfg").write_text(cfg(V, U, "disp_min = -1.5\ndisp_max = 2\n"))
    disparity = np.arange(H * W, dtype=np.float32).reshape(H, W)
    write_pfm(tmp_path / "scene" / "gt_disp_lowres.pfm", disparity)
    got = read_light_field(tmp_path / "scene")
    assert (got.format, got.scene, got.grid) == ("hci", "scene", (V, U))
    assert torch.equal(got.views, views)
    assert got.disparity_range == (-1.5, 2.0)
    assert torch.equal(got.disparity, torch.from_numpy(disparity))
    assert got.metadata["scene"] == "toy"
    assert got.metadata["num_cams_x"] == U


def test_hci_without_parameters_is_square_and_takes_the_range_of_the_map(tmp_path):
    views = random_views(3, 3)
    write_hci(tmp_path, views)
    disparity = np.full((H, W), 0.5, np.float32)
    disparity[0, 0], disparity[1, 1], disparity[2, 2] = -1, 3, np.nan
    write_pfm(tmp_path / "gt_disp_lowres.pfm", disparity)
    got = read_light_field(tmp_path)
    assert torch.equal(got.views, views)
    assert got.disparity_range == (-1.0, 3.0)
    assert read_light_field(tmp_path, views=1).disparity is not None
    assert read_light_field(tmp_path, views=2).disparity is None  # the centre moved


@pytest.mark.parametrize("order", ["<", ">"])
def test_pfm(tmp_path, order):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_pfm(tmp_path / "a.pfm", values, order, comment=b"# made by hand\n")
    assert torch.equal(read_pfm(tmp_path / "a.pfm"), torch.from_numpy(values))


def test_pfm_scale(tmp_path):
    (tmp_path / "a.pfm").write_bytes(b"Pf\n1 1\n-10\n" + struct.pack("<f", 2.0))
    assert read_pfm(tmp_path / "a.pfm").item() == 20


@pytest.mark.parametrize("underscore", [True, False])
@pytest.mark.parametrize("u_sign", [1, -1])
@pytest.mark.parametrize("v_sign", [1, -1])
def test_stanford_views_are_ordered_by_camera_position(tmp_path, underscore, u_sign, v_sign):
    views = random_views()

    def name(row, column):
        end = "_" if underscore else ""
        return (
            f"out_{row:02d}_{column:02d}_{-381.9 + v_sign * 60 * row:.6f}_{1103.4 + u_sign * 8.6 * column:.6f}{end}.png"
        )

    write_views(tmp_path / "knights" / "rectified", views, name)
    got = read_light_field(tmp_path / "knights" / "rectified")
    assert (got.format, got.scene) == ("stanford", "knights")
    want = views if u_sign > 0 else views.flip(1)
    want = want if (v_sign > 0) == underscore else want.flip(0)
    assert torch.equal(got.views, want)
    u = [camera[1] for camera in got.metadata["camera_positions_vu"][0]]
    assert u == sorted(u)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
@pytest.mark.parametrize(("lenslet", "height", "width"), [(14, 28, 42), ((3, 2), 6, 8)])
def test_eslf(tmp_path, dtype, lenslet, height, width):
    picture = random_views(1, 1, h=height, w=width, dtype=dtype)[0, 0]
    write_image(tmp_path / "IMG_1.png", picture)
    got = read_light_field(tmp_path / "IMG_1.png", lenslet=lenslet)
    a, b = (lenslet, lenslet) if isinstance(lenslet, int) else lenslet
    assert (got.format, got.scene, got.grid, got.size) == ("eslf", "IMG_1", (a, b), (height // a, width // b))
    for v, u in [(0, 0), (a - 1, 0), (1, b - 1)]:
        assert torch.equal(got.views[v, u].int(), picture.int()[:, v::a, u::b])


def test_eslf_is_padded_with_zeros_and_cropped_to_central_views(tmp_path):
    picture = random_views(1, 1, h=30, w=29)[0, 0]
    write_image(tmp_path / "flowers_eslf.png", picture)
    got = read_light_field(tmp_path / "flowers_eslf.png")
    assert (got.scene, got.size, got.metadata["padded"]) == ("flowers", (3, 3), True)
    padded = torch.nn.functional.pad(picture, (0, 13, 0, 12))
    assert torch.equal(got.views[5, 7], padded[:, 5::14, 7::14])
    part = read_light_field(tmp_path / "flowers_eslf.png", views=8)
    assert torch.equal(part.views, got.views[3:11, 3:11])


def test_alpha_becomes_weights_of_the_views(tmp_path):
    picture = random_views(1, 1, h=4, w=6)[0, 0]
    alpha = torch.full((1, 4, 6), 255, dtype=torch.uint8)
    alpha[:, 0::2, 0::2] = 0
    write_image(tmp_path / "a_eslf.png", picture, like=ImageInfo("png", 8, 3, 4, 6, alpha))
    got = read_light_field(tmp_path / "a_eslf.png", lenslet=2)
    assert got.weights.tolist() == [[0, 1], [1, 1]]
    views = random_views(1, 2)
    (tmp_path / "grid").mkdir()
    for u, value in enumerate((255, 51)):
        alpha = torch.full((1, H, W), value, dtype=torch.uint8)
        write_image(tmp_path / "grid" / f"0_{u}.png", views[0, u], like=ImageInfo("png", 8, 3, H, W, alpha))
    got = read_light_field(tmp_path / "grid")
    assert torch.equal(got.views, views)
    torch.testing.assert_close(got.weights, torch.tensor([[1.0, 0.2]]))


# Real light fields: their geometry is ours


def sharpness(picture):
    """Mean absolute gradient."""
    return (picture.diff(dim=-1).abs().mean() + picture.diff(dim=-2).abs().mean()).item()


def test_hci_geometry_by_true_disparity():
    """By its true disparity the scene is sharp and all views agree; with a wrong sign or axis neither holds."""
    field = read_light_field(data_folder("lf-hci-antinous"))
    assert (field.format, field.grid, field.size) == ("hci", (9, 9), (512, 512))
    assert field.disparity_range == pytest.approx((-3.1308, 2.6887), abs=1e-4)
    views = field.views[::2, ::2, 1:2].float() / 255  # every second view: twice the disparity
    disparity = 2 * field.disparity
    wrong = {
        "signs flipped": views.flip(0, 1),
        "rows flipped": views.flip(0),
        "columns flipped": views.flip(1),
        "axes swapped": views.transpose(0, 1),
    }
    inner = (..., slice(16, -16), slice(16, -16))

    def judge(light_field):
        moments = torch.cat([light_field, light_field**2], 2)
        mean, square = lfdeblur_ops.refocus(moments, disparity)[inner]
        variance = (square - mean**2).clamp_min(0)
        return sharpness(mean), variance.mean().item(), variance.median().item()

    sharp, mean, median = judge(views)
    for name, light_field in wrong.items():
        wrong_sharp, wrong_mean, wrong_median = judge(light_field)
        assert sharp > 1.5 * wrong_sharp, name
        assert mean < 0.5 * wrong_mean, name  # of this mean, most is at occlusions, where views do not agree
        assert median < 0.2 * wrong_median, name


@pytest.mark.parametrize(
    ("name", "rows", "columns", "disparity"),
    [
        ("lf-stanford-chess", slice(250, 350), slice(560, 740), 3.3),  # pieces at the near end of the board
        ("lf-lytro-2067", slice(130, 290), slice(180, 380), 1.0),  # the toy in front
    ],
)
def test_near_things_are_sharp_at_positive_disparity(name, rows, columns, disparity):
    field = read_light_field(data_folder(name))
    views = field.views[::2, ::2, 1:2, rows, columns]  # every second view: twice the disparity
    stacks = {
        key: [sharpness(picture) for picture in lfdeblur_ops.refocus(light_field, [2 * disparity, -2 * disparity])]
        for key, light_field in {"ours": views, "rows": views.flip(0), "swapped": views.transpose(0, 1)}.items()
    }
    assert stacks["ours"][0] > 1.15 * stacks["ours"][1]
    assert stacks["ours"][0] > 1.1 * max(stacks["rows"] + stacks["swapped"])


def test_packaged_light_field():
    field = read_light_field(ASSET)
    assert (field.format, field.grid, field.size, field.views.dtype) == ("grid", (7, 7), (480, 848), torch.uint8)
    assert {file.name for file in ASSET.glob("*.md")} == {"LICENSE.md", "SOURCE.md"}


# Broken light fields: each its own error


@pytest.fixture
def grid(tmp_path):
    write_views(tmp_path / "lf", random_views(), lambda row, column: f"v_{row}_{column}.png")
    return tmp_path / "lf"


def test_missing_path(tmp_path):
    fails("nowhere: no such file or folder", tmp_path / "nowhere")


def test_empty_folder(tmp_path):
    fails("the folder is empty", tmp_path)


def test_folder_without_pictures(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    fails("the folder holds no picture (first name: notes.txt)", tmp_path)


def test_no_readable_pattern(tmp_path):
    write_image(tmp_path / "holiday.png", random_views()[0, 0])
    fails("no readable pattern: want names with two numbers, row and column, got holiday.png", tmp_path)
    fails("no readable pattern: want names with the pattern", tmp_path, pattern=r"(?P<row>\d)_(?P<col>\d)")


def test_two_kinds_of_names(grid):
    write_image(grid / "w_0_0.png", random_views()[0, 0])
    fails("v_0_0.png and w_0_0.png are named differently; give a pattern", grid)


def test_bad_patterns(grid):
    fails("is not a regular expression", grid, pattern="(")
    fails("has no group named col", grid, pattern=r"(?P<row>\d+)")
    fails("has no group named row and col", grid, pattern=r"\d+")
    fails("only the format 'grid' takes one", grid, format="hci", pattern="x")


def test_views_of_different_sizes(grid):
    write_image(grid / "v_2_1.png", random_views(h=6)[0, 0])
    fails("v_2_1.png: got 4x6 RGB of 8 bits, want 4x5 RGB of 8 bits as v_0_0.png", grid)


def test_views_of_different_kinds(grid):
    write_image(grid / "v_2_1.png", random_views(c=1)[0, 0])
    fails("v_2_1.png: got 4x5 grey of 8 bits, want 4x5 RGB of 8 bits", grid)
    write_image(grid / "v_2_1.png", random_views(dtype=torch.uint16)[0, 0])
    fails("v_2_1.png: got 4x5 RGB of 16 bits, want 4x5 RGB of 8 bits", grid)


def test_gap_in_the_grid(grid):
    (grid / "v_1_0.png").unlink()
    fails("a gap in the grid of rows 0..2 and columns 0..1: no view at row 1 column 0", grid)
    (grid / "v_1_1.png").unlink()
    fails("no view at row 1 column 0, row 1 column 1", grid)


def test_duplicate_positions(grid):
    write_image(grid / "v_01_0.png", random_views()[0, 0])
    fails("two files for row 1 column 0: v_01_0.png and v_1_0.png", grid)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_truncated_picture(tmp_path, suffix):
    write_views(tmp_path, random_views(2, 2, h=64, w=64), lambda row, column: f"{row}_{column}.{suffix}")
    victim = tmp_path / f"1_0.{suffix}"
    data = victim.read_bytes()
    for length in (len(data) // 2, len(data) * 9 // 10):
        victim.write_bytes(data[:length])
        with pytest.raises(LightFieldError, match=rf"1_0\.{suffix}: (truncated or damaged|not a readable picture)"):
            read_light_field(tmp_path)


def test_file_that_is_no_picture(grid):
    (grid / "v_0_1.png").write_bytes(b"")
    fails("v_0_1.png: not a readable picture", grid)


def test_unknown_or_unfitting_format(grid, tmp_path):
    fails("format: got 'lytro', want one of hci, power-tools, stanford, ", grid, format="lytro")
    fails("not an HCI light field: no picture named input_Cam000", grid, format="hci")
    fails("not a Stanford light field: no picture named like", grid, format="stanford")
    fails("not an ESLF picture: it is a folder", grid, format="eslf")
    picture = tmp_path / "photo.png"
    write_image(picture, random_views(h=30, w=30)[0, 0])
    for name, text in {"hci": "an HCI light field", "stanford": "a Stanford light field", "grid": "a grid"}.items():
        fails(f"photo.png: not {text}", picture, format=name)
    fails(
        "which lfdeblur deblur restores: got a picture of 30x30, no multiple of the lenslet",
        picture,
    )
    assert read_light_field(picture, format="eslf").size == (3, 3)
    fails("got a picture of 30x30, smaller than one lenslet of 31x31 pixels", picture, lenslet=31)
    (tmp_path / "lf.mat").write_bytes(b"x")
    fails("lf.mat: unknown format", tmp_path / "lf.mat")


def test_bad_options(grid):
    fails("flip: got 'up', want one of none, rows, columns, both", grid, flip="up")
    fails("views: got 0x0, want at least 1x1", grid, views=0)
    fails("got 3x3 central views to keep of 3x2", grid, views=3)
    fails("lenslet: got 0x2", grid, lenslet=(0, 2))
    write_hci(grid, random_views(1, 1))
    fails("flip: the format 'hci' has one fixed order", grid, flip="rows")


def test_broken_hci(tmp_path):
    views = random_views()
    write_hci(tmp_path, views)
    fails("got views up to input_Cam005: 6 is not a square number and no parameters.cfg", tmp_path)
    parameters = tmp_path / "parameters.cfg"
    parameters.write_text(cfg(2, 2))
    fails("got views up to input_Cam005, want 2x2 as parameters.cfg says", tmp_path)
    parameters.write_text("no section")
    fails("parameters.cfg: cannot be read", tmp_path)
    parameters.write_text(cfg(V, U))
    write_image(tmp_path / "input_Cam02.tif", views[0, 0])
    fails("two files for one view: input_Cam002.png and input_Cam02.tif", tmp_path)
    (tmp_path / "input_Cam02.tif").unlink()
    (tmp_path / "input_Cam003.png").unlink()
    fails("a gap in the grid of 3x2 views: no input_Cam003 (row 1 column 1); 1 of 6 views are missing", tmp_path)
    write_image(tmp_path / "input_Cam003.png", views[1, 1])
    disparity = tmp_path / "gt_disp_lowres.pfm"
    write_pfm(disparity, np.zeros((2, 2), np.float32))
    fails("gt_disp_lowres.pfm: got size [2, 2], want [5, 4] as the views", tmp_path)
    whole = disparity.read_bytes()
    for data, text in {
        whole[:-1]: "truncated: got 15 bytes of pixels, want 16",
        whole.replace(b"Pf", b"PF"): "want 'Pf'",
        whole.replace(b"2 2", b"2 x"): "bad size or scale",
        whole.replace(b"-1.0", b"0.00"): "bad PFM header: size 2x2, scale 0",
        b"Pf\n": "its header ends too early",
    }.items():
        disparity.write_bytes(data)
        fails(text, tmp_path)


def test_fully_transparent_views(tmp_path):
    alpha = torch.zeros((1, 4, 4), dtype=torch.uint8)
    write_image(tmp_path / "a.png", random_views(h=4, w=4)[0, 0], like=ImageInfo("png", 8, 3, 4, 4, alpha))
    field = read_light_field(tmp_path / "a.png", lenslet=2)
    with pytest.raises(LightFieldError, match="every view is fully transparent"):
        _ = field.weights


# The dataclass


def test_center_and_cropping():
    views = random_views(5, 4)
    field = LightField(views, disparity=torch.zeros(H, W), weights=torch.rand(5, 4))
    with pytest.raises(LightFieldError, match="a grid of 5x4 views has no centre view"):
        _ = field.center
    whole = field.with_center()
    assert torch.equal(whole.views, views[:, 1:])
    assert torch.equal(whole.weights, field.weights[:, 1:])
    assert whole.disparity is None
    assert torch.equal(whole.center, views[2, 2])
    assert whole.with_center() is whole
    assert LightField(views).crop_views(3, 2).grid == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"views": torch.zeros(3, 4)}, "want [V, U, C, H, W]"),
        ({"views": torch.zeros(0, 1, 3, 2, 2)}, "no axis empty"),
        ({"views": torch.zeros(1, 1, 3, 2, 2, dtype=torch.int32)}, "got dtype torch.int32"),
        ({"views": torch.zeros(1, 1, 3, 2, 2), "transfer": "gamma"}, "transfer: got 'gamma'"),
        ({"views": torch.zeros(1, 1, 3, 2, 2), "disparity": torch.zeros(3, 3)}, "want [2, 2] as the views"),
        ({"views": torch.zeros(1, 1, 3, 2, 2), "weights": torch.zeros(3, 3)}, "want [1, 1] as the grid"),
    ],
)
def test_bad_light_fields(arguments, message):
    with pytest.raises(LightFieldError) as caught:
        LightField(**arguments)
    assert message in str(caught.value)
