"""What ``LightField`` makes of its views: coarser grids, other sizes, epipolar images, xarray, notebooks."""

import base64
import io
import pickle
import re
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from lfdeblur_models.data import LightField, LightFieldError, read_light_field, refocus_light, shown, srgb_to_linear
from lfdeblur_models.data.light_field import linear_light_field
from lfdeblur_models.data.positions import grid_places
from lfdeblur_ops.testing import MANY_ROUNDINGS

from .readers.light_field_files import antinous, random_views
from .toy_scenes import plane, write_scene


def field(v=9, u=9, h=6, w=5, **told):
    return LightField(random_views(v, u, h=h, w=w), scene="toy", **told)


# Coarser and smaller grids.


@pytest.mark.parametrize("lazy", [False, True], ids=["read", "unread"])
@pytest.mark.parametrize(
    ("size", "views", "step", "rows", "columns"),
    [
        ((9, 9), 5, 1, [2, 3, 4, 5, 6], [2, 3, 4, 5, 6]),
        ((9, 9), (3, 1), 1, [3, 4, 5], [4]),
        ((9, 9), None, 2, [0, 2, 4, 6, 8], [0, 2, 4, 6, 8]),
        ((9, 9), 3, 2, [2, 4, 6], [2, 4, 6]),
        ((9, 9), None, 3, [1, 4, 7], [1, 4, 7]),
        ((7, 5), None, 2, [1, 3, 5], [0, 2, 4]),
        ((4, 6), None, 3, [0, 3], [1, 4]),
        ((9, 9), (1, None), (5, 4), [4], [0, 4, 8]),
    ],
)
def test_sub(tmp_path, lazy, size, views, step, rows, columns):
    whole = field(*size)
    got = read_light_field(write_scene(tmp_path / "toy", whole)) if lazy else whole
    part = got.sub(views, step=step)
    assert part.grid == (len(rows), len(columns))
    assert part.lazy is lazy
    assert torch.equal(part.views, whole.views[rows][:, columns])


def test_sub_multiplies_disparities_and_keeps_the_map_of_the_same_centre():
    disparity = torch.randn(6, 5)
    weights = torch.rand(9, 9)
    whole = field(disparity=disparity, disparity_range=(-1.0, 2.0), weights=weights)
    part = whole.sub(3, step=2)
    assert torch.equal(part.disparity, 2 * disparity)
    assert part.disparity_range == (-2.0, 4.0)
    assert torch.equal(part.weights, weights[2:7:2, 2:7:2])
    assert torch.equal(whole.sub(4, step=2).disparity, 2 * disparity)  # rows 1, 3, 5, 7
    assert whole.sub(4).disparity is None  # rows 3 to 6
    line = whole.sub((1, None), step=(1, 4))
    assert line.disparity_range == (-4.0, 8.0)
    assert torch.equal(line.disparity, 4 * disparity)


def test_sub_counts_positions_in_its_own_steps():
    """A camera that is half a step aside is a quarter of a step of twice the size aside."""
    places = grid_places(9, 9)
    places[2, 2, 1] += 0.5
    whole = field(positions=places)
    want = grid_places(5, 5)
    want[1, 1, 1] += 0.25
    assert torch.equal(whole.sub(step=2).positions, want)
    assert whole.sub(3, step=3).positions is None  # that camera is not among them
    assert torch.equal(whole.resize(2).positions, places)


def test_sub_focuses_where_the_whole_does():
    """A plane at disparity 1 is at 2 of every second view."""
    whole = linear_light_field(plane(1))
    sharp = refocus_light(whole.sub(step=2), [2.0])[0]
    assert torch.allclose(sharp[:, 6:-6, 6:-6], whole.center[:, 6:-6, 6:-6], atol=MANY_ROUNDINGS)


def test_sub_of_unread_views_is_cropped_and_pickled_unread(tmp_path):
    whole = field()
    part = read_light_field(write_scene(tmp_path / "toy", whole)).sub(step=2)
    crop = pickle.loads(pickle.dumps(part)).crop(slice(1, 4), slice(2, 3), slice(1, 5), slice(2, 4))
    assert crop.lazy
    assert torch.equal(crop.views, whole.views[2:7:2, 4:5, :, 1:5, 2:4])
    assert part.lazy


@pytest.mark.parametrize(
    ("views", "step", "said"),
    [
        (10, 1, "views: got 10 with step 1 of a grid of 9x9"),
        (5, 3, "views: got 5 with step 3 of a grid of 9x9"),
        (0, 1, "views: got 0"),
        (3, 0, "step: got 0, want at least 1"),
        (3, (1, 2), r"step: got \(1, 2\), want the same along rows and columns"),
    ],
)
def test_sub_refuses(views, step, said):
    with pytest.raises(LightFieldError, match=said):
        field().sub(views, step=step)


# Other sizes.


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32], ids=str)
@pytest.mark.parametrize("transfer", ["srgb", "linear"])
def test_resize_averages_light(dtype, transfer):
    """Stripes of black and white, two pixels each: a quarter of the size is half the light."""
    white = {torch.uint8: 255, torch.uint16: 65535}.get(dtype, 1)
    stripes = (torch.arange(64) // 2 % 2 * white).expand(1, 1, 3, 48, 64).to(dtype)
    got = LightField(stripes, transfer=transfer).resize(0.25)
    assert (got.dtype, got.transfer, got.size) == (dtype, transfer, (12, 16))
    values = got.views.double()[..., 4:-4] / white
    light = srgb_to_linear(values) if transfer == "srgb" else values
    assert float((light - 0.5).abs().max()) < 0.01


def test_resize_keeps_a_plane_in_focus():
    """Half the size: the plane at disparity 2 is at 1, along both axes, though 41 and 37 have no halves."""
    whole = plane(2, h=41, w=37)
    smooth = torch.nn.functional.avg_pool2d(whole.views.float().flatten(0, 2)[None], 5, 1, 2)[0] / 255
    whole = LightField(smooth.unflatten(0, whole.shape[:3]), transfer="linear", disparity_range=(-2.0, 2.0))
    half = whole.resize(0.5)
    assert half.size == (20, 18)
    assert half.disparity_range == (-1.0, 1.0)
    focused = refocus_light(half, [1.0])[0][:, 5:-5, 5:-5]
    near, off = (float((focused - refocus_light(half, [d])[0][:, 5:-5, 5:-5]).abs().mean()) for d in (1.0, 0.9))
    assert near == 0
    center = half.center[:, 5:-5, 5:-5]
    assert float((focused - center).abs().mean()) < off / 3


def test_resize_of_the_true_disparity_takes_values_and_scales_them():
    whole = antinous()
    for scale in (0.5, 0.3, 1.7):
        small = whole.resize(scale)
        assert small.disparity.shape == small.size
        assert torch.isin(small.disparity, whole.disparity * scale).all()
    wanted = torch.nn.functional.avg_pool2d(whole.disparity[None], 2)[0] * 0.5
    assert float((whole.resize(0.5).disparity - wanted).abs().median()) < 0.01


def test_resize_to_a_height_or_width():
    whole = field(2, 2, h=511, w=300)
    assert whole.resize(height=100).size == (100, 58)
    assert whole.resize(width=100).size == (170, 100)
    for height in range(2, 60):
        assert whole.resize(height=height).size[0] == height
    assert whole.resize(1) is whole
    assert whole.resize(2).size == (1022, 600)


def test_resize_of_unread_views_is_done_when_they_are_asked_for(tmp_path):
    whole = field(3, 2, h=12, w=10)
    unread = read_light_field(write_scene(tmp_path / "toy", whole)).resize(0.5)
    assert unread.lazy
    want = whole.resize(0.5).views
    crop = unread.crop(slice(1, 3), slice(0, 1), slice(2, 5), slice(1, 4))
    assert crop.lazy
    assert torch.equal(crop.views, want[1:3, :1, :, 2:5, 1:4])
    assert unread.lazy
    assert torch.equal(unread.views, want)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "got scale None, height None, width None; want one of them, above 0"),
        ({"height": 3, "width": 3}, "got scale None, height 3, width 3; want one of them"),
        ({"scale": 0}, "got scale 0"),
        ({"scale": -1.0}, "got scale -1"),
        ({"scale": float("nan")}, "got scale nan"),
        ({"scale": float("inf")}, "got scale inf"),
        ({"scale": 0.1}, "got scale 0.1, which leaves no pixel of 6x5"),
    ],
)
def test_resize_refuses(options, said):
    with pytest.raises(LightFieldError, match=said):
        field().resize(**options)


# Epipolar images.


@pytest.mark.parametrize("lazy", [False, True], ids=["read", "unread"])
def test_epi(tmp_path, lazy):
    whole = field(3, 4)
    got = read_light_field(write_scene(tmp_path / "toy", whole)) if lazy else whole
    views = whole.views
    assert torch.equal(got.epi(row=2), views[1, :, :, 2].transpose(0, 1))
    assert torch.equal(got.epi(row=5, view_row=0), views[0, :, :, 5].transpose(0, 1))
    assert torch.equal(got.epi(column=4), views[:, 2, :, :, 4].transpose(0, 1))
    assert torch.equal(got.epi(column=0, view_column=3), views[:, 3, :, :, 0].transpose(0, 1))
    assert got.lazy is lazy
    assert got.epi(row=2).shape == (3, 4, 5)
    assert got.epi(column=2).shape == (3, 3, 6)


def test_lines_of_an_epipolar_image_lean_by_the_disparity():
    lines = plane(2).epi(row=12)
    for step in range(4):
        assert torch.equal(lines[:, step + 1, :-2], lines[:, step, 2:])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "got row None and column None, want one of them"),
        ({"row": 1, "column": 1}, "got row 1 and column 1, want one of them"),
        ({"row": 6}, "row: got 6, want 0 to 5"),
        ({"column": -1}, "column: got -1, want 0 to 4"),
        ({"row": 0, "view_row": 9}, "view_row: got 9, want 0 to 8"),
        ({"row": 0, "view_column": 1}, "got view_column 1 beside a row of pixels"),
        ({"column": 0, "view_row": 1}, "got view_row 1 beside a column of pixels"),
    ],
)
def test_epi_refuses(options, said):
    with pytest.raises(LightFieldError, match=said):
        field().epi(**options)


# xarray and notebooks.


def test_to_xarray():
    pytest.importorskip("xarray")
    whole = field(
        3, 4, disparity=torch.randn(6, 5), weights=torch.rand(3, 4), disparity_range=(-1.0, 2.0), metadata={"focal": 3}
    )
    array = whole.to_xarray()
    assert (array.name, array.dims) == ("toy", ("v", "u", "channel", "y", "x"))
    assert np.shares_memory(array.values, whole.views.numpy())
    assert array.coords["v"].values.tolist() == [-1, 0, 1]
    assert array.coords["u"].values.tolist() == [-1.5, -0.5, 0.5, 1.5]
    assert array.sel(v=0, channel="green").shape == (4, 6, 5)
    assert np.array_equal(array.coords["disparity"].values, whole.disparity.numpy())
    assert np.array_equal(array.coords["weight"].values, whole.weights.numpy())
    moved = whole.copy(positions=torch.rand(3, 4, 2))
    assert np.array_equal(moved.to_xarray().coords["position_u"].values, moved.positions[..., 1].numpy())
    assert array.attrs == {"focal": 3, "transfer": "srgb", "format": "memory", "disparity_range": (-1.0, 2.0)}
    assert field(2, 2).copy(views=random_views(2, 2, c=1)).to_xarray().coords["channel"].values.tolist() == ["grey"]


def test_to_xarray_without_xarray(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(LightFieldError, match="to_xarray needs xarray: pip install xarray"):
        field().to_xarray()


def picture(html):
    data = re.search(r"base64,([^\"]+)", html)[1]
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (9, 9), (1, 17)])
def test_a_notebook_shows_a_small_sheet(size):
    whole = field(*size, h=60, w=80)
    html = whole._repr_html_()
    assert "LightField(&#x27;toy&#x27;, memory" in html
    sheet = picture(html)
    assert sheet.width <= 480
    assert len(html) < 1_000_000
    assert f"{size[0]}x{size[1]} views" in html
    assert ("some of" in html) is (max(size) > 5)


def test_a_notebook_reads_one_view_of_a_large_light_field(tmp_path, monkeypatch):
    unread = read_light_field(write_scene(tmp_path / "toy", field(3, 3, h=64, w=48)))
    monkeypatch.setattr(shown, "_WHOLE", 1000)
    html = unread._repr_html_()
    assert unread.lazy
    assert "the view at row 1, column 1" in html
    assert picture(html).size == (48, 64)
    monkeypatch.setattr(shown, "_MOST_PIXELS", 32 * 32)
    html = unread._repr_html_()
    assert "the middle of the view at row 1, column 1" in html
    assert picture(html).size == (32, 32)


def test_a_notebook_shows_what_is_wrong_with_the_files(tmp_path):
    folder = write_scene(tmp_path / "toy", field(2, 2))
    unread = read_light_field(folder)
    (folder / "view_00_00.png").unlink()
    html = unread._repr_html_()
    assert "<img" not in html
    assert "view_00_00.png: no such file" in html


def test_linear_light_is_shown_encoded():
    grey = LightField(torch.full((1, 1, 1, 8, 8), 0.5), transfer="linear")
    assert picture(grey._repr_html_()).getpixel((4, 4)) == (188, 188, 188)


# Wrong types.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: one.sub(2.5), r"views: got 2\.5, want a whole number"),
        (lambda one: one.sub("3"), "views: got '3', want a whole number"),
        (lambda one: one.sub((1, 2, 3)), r"views: got \(1, 2, 3\), want one number, or two"),
        (lambda one: one.sub(step=1.5), r"step: got 1\.5, want a whole number"),
        (lambda one: one.crop_views("3", 3), "rows: got '3', want a whole number"),
        (lambda one: one.crop(x=slice(0.5, 3)), r"x: got 0\.5, want a whole number"),
        (lambda one: one.epi(row=1.5), r"row: got 1\.5, want a whole number"),
        (lambda one: one.epi(column=1, view_column="0"), "view_column: got '0', want a whole number"),
        (lambda one: one.resize("2"), "resize: got scale '2', height None"),
        (lambda one: one.resize(width="2"), "width '2'; want one of them"),
        (lambda one: one.copy(views=one.views.numpy()), "views: got a ndarray, want a torch.Tensor"),
        (lambda one: one.copy(views=None), "views: got a NoneType, want a torch.Tensor"),
        (lambda one: one.copy(weights=[[1]]), "weights: got a list, want a torch.Tensor"),
        (lambda one: one.copy(disparity=np.zeros((6, 5))), "disparity: got a ndarray, want a torch.Tensor"),
        (lambda one: one.copy(disparity_range=(2, 1)), r"disparity_range: got \(2, 1\), want the lowest and the high"),
        (lambda one: one.copy(disparity_range=(float("nan"), 1)), "disparity_range: got"),
        (lambda one: one.copy(disparity_range="12"), "disparity_range: got '12'"),
        (lambda one: one.copy(positions=torch.full((9, 9, 2), float("nan"))), "positions: got NaN or infinite ones"),
        (lambda one: one.save("a.npz", ["npz"]), r"layout: got \['npz'\], want one of"),
        (lambda one: one.copy(disparity_range=3), "disparity_range: got 3"),
    ],
)
def test_wrong_types_are_named(call, message):
    with pytest.raises(LightFieldError, match=message):
        call(field())


def test_numbers_of_numpy_and_lists_are_numbers():
    whole = field()
    assert whole.sub([np.int64(3), 5]).grid == (3, 5)
    assert torch.equal(whole.epi(row=np.int16(2)), whole.epi(row=2))
    assert whole.resize(width=np.int32(10)).size == (12, 10)
