"""What is written is read again, bit for bit, by our readers; and what does not fit is refused or named."""

import errno
import os
import re
import resource
from dataclasses import replace

import pytest
import torch

from lfdeblur_models.data import (
    LAYOUTS,
    LightField,
    LightFieldError,
    OutputError,
    Written,
    find_sources,
    read_light_field,
    srgb_to_linear,
    write_light_field,
)
from lfdeblur_models.data.depth.camera import camera_of
from lfdeblur_models.data.positions import positions_of_cameras
from lfdeblur_models.io.images import read_image
from lfdeblur_ops.testing import FEW_ROUNDINGS, MANY_ROUNDINGS, half_a_step

from ..readers.light_field_files import antinous
from .light_fields import noise, place, read_back, with_everything

GRIDS = {"odd": {"v": 3, "u": 5, "h": 7, "w": 6}, "even": {"v": 4, "u": 2, "h": 5, "w": 8}, "row": {"v": 1, "u": 6}}
INTEGERS = (torch.uint8, torch.uint16)
WHOLE = [name for name in LAYOUTS if name not in ("basic-lfsr", "quilt")]  # those that hold all views
FLOATS = [name for name in WHOLE if LAYOUTS[name].floats]


@pytest.mark.parametrize("layout", WHOLE)
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", list(GRIDS))
def test_views_are_bit_exact(tmp_path, layout, dtype, channels, size):
    field = noise(c=channels, dtype=dtype, **GRIDS[size])
    written = write_light_field(field, place(tmp_path, layout, field), layout)
    got = read_back(written.path, layout, field)
    assert (got.format, got.scene, got.lazy) == (LAYOUTS[layout].format, "toy", True)
    assert got.dtype == dtype
    assert torch.equal(got.views.int(), field.views.int())
    assert got.weights is None
    assert [entry.name for entry in tmp_path.iterdir()] == [written.path.name]
    assert {line.split(": ")[0] for line in written.lost} <= {f"{layout} tells no transfer function"}


@pytest.mark.parametrize("layout", FLOATS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_floating_point_is_bit_exact(tmp_path, layout, dtype):
    field = noise(dtype=dtype)
    written = write_light_field(field, place(tmp_path, layout, field), layout)
    got = read_light_field(written.path)
    if dtype == torch.float16 and layout in ("lftoolbox", "epfl"):
        assert "MATLAB has no float16: views become float32, of the same values" in written.lost
        assert got.dtype == torch.float32
    else:
        assert got.dtype == dtype
    assert torch.equal(got.views.double(), field.views.double())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_what_a_layout_keeps_is_read_again_and_the_rest_is_named(tmp_path, layout, dtype):
    field = with_everything(dtype=dtype)
    written = write_light_field(field, place(tmp_path, layout, field), layout)
    got, known = read_back(written.path, layout, field), LAYOUTS[layout]
    lost = "\n".join(written.lost)
    for name in ("weights", "disparity", "disparity_range", "positions"):
        if layout == "hci-old" and name == "disparity":
            continue  # as depth, where the camera is known: below
        if layout == "stanford" and name == "positions":  # counted anew from the camera in the middle, and scaled
            torch.testing.assert_close(got.positions, positions_of_cameras(field.positions))
        elif name in known.keeps:
            assert f"{name.replace('_', ' ')}:" not in lost
            want, have = getattr(field, name), getattr(got, name)
            assert torch.equal(have, want) if isinstance(want, torch.Tensor) else have == want
        else:
            assert f"{layout} holds no {name.replace('_', ' ')}: left out" in written.lost
            assert getattr(got, name) is None
    if layout == "hci-old":
        assert "hci-old holds numbers and words as metadata: left out positions" in written.lost
    elif layout == "hci":
        assert "hci holds numbers and single lines as metadata: left out positions" in written.lost
        kept = {key: value for key, value in field.metadata.items() if key != "positions"}
        assert {key: got.metadata[key] for key in kept} == kept
    elif "metadata" in known.keeps:
        assert {key: got.metadata[key] for key in field.metadata} == field.metadata
    else:
        assert f"{layout} holds no metadata: left out baseline_mm, camera, positions, count" in written.lost
    if known.transfer is None or known.transfer == "linear":
        assert got.transfer == "linear"
    else:
        assert f"{layout} tells no transfer function: " in lost


def test_a_linear_light_field_is_read_as_it_was_with_the_option_that_is_named(tmp_path):
    field = noise(transfer="linear")
    written = write_light_field(field, tmp_path / "toy", "views")
    assert written.lost == (
        "views tells no transfer function: it means srgb, read it with --transfer linear, or write it with "
        "--encode srgb",
    )
    assert read_light_field(tmp_path / "toy", transfer="linear").transfer == "linear"


def test_a_real_light_field_with_true_disparity(tmp_path):
    field = antinous()
    for layout in ("hci", "h5", "npz", "zarr", "lftoolbox", "epfl"):
        got = read_light_field(field.save(place(tmp_path / layout, layout, field), layout).path)
        assert torch.equal(got.views, field.views), layout
        assert torch.equal(got.disparity, field.disparity), layout
        assert got.disparity_range == field.disparity_range, layout
    got = read_light_field(field.save(tmp_path / "old.h5", "hci-old").path)
    assert got.metadata["columns"] == "left to right"  # as the views tell
    assert torch.equal(got.views, field.views)


def test_the_camera_of_the_benchmark_is_that_of_the_views(tmp_path):
    """Coarser, smaller and cropped: whoever reads the files knows nothing of what was there before."""
    camera = {"baseline_mm": 90.0, "focal_length_mm": 100.0, "sensor_size_mm": 35.0, "focus_distance_m": 9.0}
    sizes = {"image_resolution_x_px": 16, "image_resolution_y_px": 12}
    whole = noise(5, 5, h=12, w=16, metadata=camera | sizes)
    for index, field in enumerate((whole, whole.sub(step=2), whole.resize(0.5).crop(x=slice(0, 5)))):
        got = read_light_field(field.save(tmp_path / str(index), "hci").path)
        want, have = camera_of(field), camera_of(got)
        assert have.baseline == pytest.approx(want.baseline, rel=FEW_ROUNDINGS)
        assert have.focal_length == pytest.approx(want.focal_length, rel=FEW_ROUNDINGS)
        assert (have.focus, got.metadata["focus_distance_m"]) == (want.focus, 9.0)
    assert got.metadata["image_resolution_x_px"] == 5


def test_depth_of_the_first_benchmark(tmp_path):
    """Disparities come back as they were, of coarser and smaller views too."""
    camera = {"dH": 0.05, "focalLength": 9.3, "shift": 3.5, "note": "kept"}
    whole = noise(5, 5, h=8, w=12, metadata=camera | {"list": [1]})
    whole = whole.copy(disparity=torch.linspace(-2, 2, 96).view(8, 12), disparity_range=(-2.0, 2.0))
    for index, field in enumerate((whole, whole.sub(step=2), whole.resize(0.5))):
        written = field.save(tmp_path / f"{index}.h5", "hci-old")
        assert "hci-old holds numbers and words as metadata: left out list" in written.lost
        got = read_light_field(written.path)
        assert torch.equal(got.disparity, field.disparity)
        assert got.disparity_range == (float(field.disparity.min()), float(field.disparity.max()))
        assert got.metadata["note"] == "kept"
        assert camera_of(got).focal_length == pytest.approx(camera_of(field).focal_length, rel=FEW_ROUNDINGS)
    far = whole.copy(disparity=whole.disparity - 2)  # -4 is beyond infinity, which is at -3.5
    assert "the disparity is left out" in far.save(tmp_path / "far.h5", "hci-old").lost[-1]
    assert read_light_field(tmp_path / "far.h5").disparity is None


def test_weights_between_the_steps_of_alpha_are_rounded_and_named(tmp_path):
    field = noise().copy(weights=torch.full((3, 2), 0.305))
    for layout in ("views", "mosaic", "eslf", "lftoolbox"):
        written = write_light_field(field, place(tmp_path, layout, field), layout)
        assert "weights were rounded to 1/255, the steps of alpha" in written.lost
        got = read_back(written.path, layout, field).weights
        torch.testing.assert_close(got, torch.full((3, 2), round(0.305 * 255) / 255))
    assert not write_light_field(field, tmp_path / "toy.npz").lost
    assert torch.equal(read_light_field(tmp_path / "toy.npz").weights, field.weights)


def test_metadata_that_are_no_json_are_named(tmp_path):
    field = noise(metadata={"matrix": torch.eye(3), "note": "kept"})
    written = field.save(tmp_path / "toy.npz")
    assert written.lost == ("metadata that are no numbers, words or lists of them: left out matrix",)
    assert read_light_field(tmp_path / "toy.npz").metadata["note"] == "kept"


def test_what_tells_of_the_old_files_alone_is_dropped(tmp_path):
    field = noise(metadata={"note": "kept"})
    field.save(tmp_path / "toy.mat")
    first = read_light_field(tmp_path / "toy.mat")
    assert first.metadata.keys() == {"note", "matlab", "variables", "channels"}
    assert first.save(tmp_path / "toy", "views").lost == ("views holds no metadata: left out note",)
    first.save(tmp_path / "toy.npz")
    assert read_light_field(tmp_path / "toy.npz").metadata.keys() == {"note", "dataset", "axes"}


def test_a_quilt_has_the_middle_row_of_views_from_the_bottom_left(tmp_path):
    field = noise(3, 6, h=4, w=8)
    path = place(tmp_path, "quilt", field)
    assert path.name == "toy_qs2x3a2.png"
    written = write_light_field(field, path, "quilt")
    assert written.lost == ("quilt holds one row of views: row 1 of 0 to 2 is kept",)
    picture, _ = read_image(path)
    assert picture.shape == (3, 12, 16)
    assert torch.equal(picture[:, 8:, :8], field.views[1, 0])
    assert torch.equal(picture[:, 8:, 8:], field.views[1, 1])
    assert torch.equal(picture[:, :4, 8:], field.views[1, 5])
    got = read_light_field(path)
    assert (got.format, got.scene, got.grid, got.metadata["aspect"]) == ("quilt", "toy", (1, 6), 2.0)
    assert [(source.kind, source.scene) for source in find_sources(tmp_path)] == [("light_field", "toy")]
    part = got.crop(columns=slice(1, 4), y=slice(1, 3), x=slice(2, 7))
    assert torch.equal(part.views, field.views[1:2, 1:4, :, 1:3, 2:7])
    assert got.lazy
    assert torch.equal(got.views, field.views[1:2])
    with pytest.raises(LightFieldError, match=r"want a name that ends with _qs2x3a2\.png"):
        write_light_field(field, tmp_path / "other.png", "quilt")


def test_basic_lfsr_holds_luma_and_keeps_luma_as_it_is(tmp_path):
    field = noise()
    written = write_light_field(field, place(tmp_path, "basic-lfsr", field), "basic-lfsr")
    assert written.path == tmp_path / "SR_3x2_4x" / "toy.h5"
    assert written.lost == ("basic-lfsr holds no colours: luma is written, as float32",)
    got = read_light_field(written.path)
    red, green, blue = field.views.double().unbind(2)
    want = (16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255) / 255
    torch.testing.assert_close(got.views[:, :, 0].double(), want, atol=FEW_ROUNDINGS, rtol=0)
    again = write_light_field(got, tmp_path / "again.h5", "basic-lfsr")
    assert again.hint == "--grid 3x2, where it does not lie in a folder SR_3x2_4x"
    assert not [line for line in again.lost if "luma" in line]
    assert torch.equal(read_light_field(tmp_path / "again.h5", grid=(3, 2)).views, got.views)
    small = read_light_field(written.path, dataset="Lr_SAI_y")
    assert small.size == (2, 1)
    odd = noise(h=6)
    lost = write_light_field(odd, tmp_path / "odd.h5", "basic-lfsr").lost
    assert "Lr_SAI_y, 4 times smaller, which is left out: 4 does not divide 6x4 pixels" in lost[-1]


def test_grey_is_told_from_luma(tmp_path):
    field = noise(c=1)
    lost = write_light_field(field, tmp_path / "a.h5", "basic-lfsr").lost
    assert lost == ("basic-lfsr holds no grey: luma from 16/255 to 235/255 is written, as float32",)
    got = read_light_field(tmp_path / "a.h5", grid=(3, 2)).views
    torch.testing.assert_close(got.double(), (16 + 219 * field.views.double() / 255) / 255, atol=FEW_ROUNDINGS, rtol=0)


def test_the_lenslet_is_named_where_the_reader_would_not_find_it(tmp_path):
    hints = {}
    for grid, size in (((14, 14), 5), ((15, 15), 5), ((15, 15), 14), ((17, 17), 3), ((3, 2), 4)):
        field = noise(*grid, c=1, h=size, w=size)
        hints[grid, size] = write_light_field(field, tmp_path / "a_eslf.png", overwrite=True).hint
    assert list(hints.values()) == ["", "", "--lenslet 15", "--lenslet 17", "in Python, lenslet=(3, 2)"]


def test_bits_round_what_a_picture_cannot_hold(tmp_path):
    field = noise(dtype=torch.float32)
    with pytest.raises(LightFieldError, match=r"mosaic holds 8 or 16 bits, or float32 in linear light, got views of"):
        field.save(tmp_path / "toy_mosaic.png")
    assert not list(tmp_path.iterdir())
    for bits, dtype, levels in ((8, torch.uint8, 255), (16, torch.uint16, 65535)):
        written = field.save(tmp_path / "toy_mosaic.png", bits=bits, overwrite=True)
        assert f"values were rounded to {bits} bits" in written.lost
        got = read_light_field(written.path, grid=(3, 2)).views
        assert got.dtype == dtype
        assert torch.equal(got.int(), (field.views.double() * levels).round().int())
    wide = noise().save(tmp_path / "wide.npz", bits=16)
    assert not wide.lost
    assert torch.equal(read_light_field(wide.path).views.int(), noise().views.int() * 257)
    with pytest.raises(LightFieldError, match="bits: got 12, want 8 or 16"):
        field.save(tmp_path / "toy.npz", bits=12)


@pytest.mark.parametrize("dtype", [*INTEGERS, torch.float32], ids=str)
def test_encoding_anew(tmp_path, dtype):
    field = noise(dtype=dtype)
    written = field.save(tmp_path / "light.npz", encode="linear")
    assert written.lost == ("values were encoded anew, from srgb to linear",)
    light = read_light_field(written.path)
    assert (light.transfer, light.dtype) == ("linear", dtype)
    levels = {torch.uint8: 255, torch.uint16: 65535}.get(dtype, 1)
    want = srgb_to_linear(field.views.double() / levels)
    error = float((light.views.double() / levels - want).abs().max())
    assert error <= (MANY_ROUNDINGS if levels == 1 else half_a_step(levels))
    with pytest.raises(LightFieldError, match="encode: got 'log', want 'srgb' or 'linear'"):
        field.save(tmp_path / "a.npz", encode="log")


@pytest.mark.parametrize("layout", ["views", "mosaic", "eslf"])
def test_light_in_floating_point_is_tiff(tmp_path, layout):
    """Above white, too; and weights need no rounding."""
    field = with_everything(dtype=torch.float32)
    field = field.copy(views=field.views * 40, weights=torch.rand(3, 2))
    path = place(tmp_path, layout, field)
    written = write_light_field(field, path, layout)
    files = [file for file in [path, *path.rglob("*")] if file.is_file()]
    assert {file.suffix for file in files} == {".tif"}
    got = read_back(path, layout, field)
    assert (got.dtype, got.transfer) == (torch.float32, "linear")
    assert torch.equal(got.views, field.views)
    assert torch.equal(got.weights, field.weights)
    assert not [line for line in written.lost if "transfer" in line or "weights" in line]
    with pytest.raises(LightFieldError, match=f"{layout} holds 8 or 16 bits, or float32 in linear light, got views of"):
        write_light_field(noise(dtype=torch.float32), tmp_path / path.name, layout, overwrite=True)


@pytest.mark.parametrize("layout", FLOATS)
def test_light_above_white_is_kept_where_the_file_tells_that_it_is_light(tmp_path, layout):
    field = noise(dtype=torch.float32, transfer="linear")
    field = field.copy(views=field.views * 40)
    got = read_light_field(field.save(place(tmp_path, layout, field), layout).path)
    assert (got.dtype, got.transfer) == (torch.float32, "linear")
    assert torch.equal(got.views, field.views)


def test_values_that_could_not_be_read_again_are_refused(tmp_path):
    for value, said in ((float("nan"), "nan"), (7.0, "from 0"), (float("inf"), "inf")):
        field = LightField(torch.zeros(2, 2, 1, 3, 3))
        field.views[0, 0, 0, 0, 0] = value
        with pytest.raises(LightFieldError, match=said):
            field.save(tmp_path / "toy.npz")
    assert not list(tmp_path.iterdir())


def test_the_layout_is_told_by_the_name(tmp_path):
    names = {
        "a.npz": "npz",
        "a.h5": "h5",
        "a.HDF5": "h5",
        "a.zarr": "zarr",
        "a.mat": "epfl",
        "a__Decoded.mat": "lftoolbox",
        "a_mosaic.tif": "mosaic",
        "a_eslf.png": "eslf",
    }
    field = noise()
    for name, layout in names.items():
        assert field.save(tmp_path / name).layout == layout
    assert torch.equal(read_light_field(tmp_path / "a_mosaic.tif", grid=(3, 2)).views, field.views)
    with pytest.raises(LightFieldError, match="toy: the name tells no layout; give one of hci, views, mosaic"):
        field.save(tmp_path / "toy")
    with pytest.raises(LightFieldError, match="layout: got 'raw', want one of hci"):
        field.save(tmp_path / "toy", "raw")
    with pytest.raises(LightFieldError, match=r"a.png: mosaic: want a name that ends with _mosaic.png or _mosaic.tif"):
        field.save(tmp_path / "a.png", "mosaic")


def test_what_is_there_stays_unless_it_may_be_replaced(tmp_path):
    field, other = noise(), noise(4, 4)
    for layout in LAYOUTS:
        path = place(tmp_path / layout, layout, field)
        write_light_field(field, path, layout)
        with pytest.raises(OutputError, match="is there already; overwrite replaces it"):
            write_light_field(field, path, layout)
    path = tmp_path / "hci" / "toy"
    assert isinstance(write_light_field(other, path, "hci", overwrite=True), Written)
    assert torch.equal(read_light_field(path).views, other.views)
    write_light_field(field, path, "hci", overwrite=True)  # and none of the larger grid's files stays
    assert torch.equal(read_light_field(path).views, field.views)
    zarr = tmp_path / "zarr" / "toy.zarr"
    write_light_field(other, zarr, overwrite=True)
    assert torch.equal(read_light_field(zarr).views, other.views)
    for folder in (path, zarr):
        (folder / "notes.txt").write_text("mine")
        before = sorted(folder.rglob("*"))
        with pytest.raises(OutputError, match=r"it holds notes\.txt, which is none of the results"):
            write_light_field(field, folder, folder.parent.name, overwrite=True)
        assert sorted(folder.rglob("*")) == before
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        write_light_field(field, tmp_path / "a.npz", overwrite=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        write_light_field(field, tmp_path / "file", "hci", overwrite=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_half_written_stays(tmp_path, monkeypatch, layout):
    """The disk is full once the layout's own files are written, which is the latest that it can be."""
    known = LAYOUTS[layout]

    def write(light_field, path):
        known.write(light_field, path)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setitem(LAYOUTS, layout, replace(known, write=write))
    field = noise()
    with pytest.raises(OutputError, match="No space left on device"):
        write_light_field(field, place(tmp_path, layout, field), layout)
    assert not [entry for entry in tmp_path.rglob("*") if not entry.name.startswith("SR_")]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_full_disk(tmp_path, layout):
    """A limit on the size of files stands in for it: writing fails half way."""
    field = noise(3, 3, h=200, w=200)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    path = place(tmp_path, layout, field)
    try:
        with pytest.raises(OutputError, match=re.escape(f"cannot write {path}: {os.strerror(errno.EFBIG)}")):
            write_light_field(field, path, layout)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [entry for entry in tmp_path.rglob("*") if not entry.name.startswith("SR_")]
