"""One array in a file: ``.npz``, Zarr, HDF5, the first HCI benchmark's and BasicLFSR's ``.h5``."""

import importlib
import pickle
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
import torch
import zarr

import lfdeblur_ops
from lfdeblur_models.data import LightFieldError, read_light_field
from lfdeblur_models.data.readers import npz as npz_reader
from lfdeblur_ops.testing import MANY_ROUNDINGS

from .light_field_files import antinous, channels_last, fails, fails_on_use, random_views

WHOLE = {"rows": slice(1, 3), "columns": slice(0, 1), "crop": (1, 2, 3, 2)}


def save_npz(path, **arrays):
    np.savez(path.with_suffix(".npz"), **arrays)
    return path.with_suffix(".npz")


def save_npz_compressed(path, **arrays):
    np.savez_compressed(path.with_suffix(".npz"), **arrays)
    return path.with_suffix(".npz")


def save_h5(path, **arrays):
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path.with_suffix(".h5")


def save_zarr(path, **arrays):
    group = zarr.open_group(str(path.with_suffix(".zarr")), mode="w")
    for name, array in arrays.items():
        if name == "transfer":
            group.attrs[name] = str(array)
        else:
            group[name] = np.asarray(array)
    return path.with_suffix(".zarr")


SAVERS = [save_npz, save_npz_compressed, save_h5, save_zarr]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, ">f4"], ids=str)
@pytest.mark.parametrize("save", SAVERS)
def test_views_come_back_whole_and_in_part(tmp_path, save, dtype):
    views = random_views(3, 2, h=7, w=6)
    stored = (views.numpy() / 256).astype(dtype) if np.dtype(dtype).kind == "f" else views.numpy().astype(dtype)
    want = torch.from_numpy(stored.astype(np.dtype(dtype).newbyteorder("=")))
    path = save(tmp_path / "toy", views=stored, notes=np.zeros(3))
    got = read_light_field(path)
    assert got.lazy
    assert (got.format, got.scene) == (path.suffix[1:], "toy")
    assert got.dtype == want.dtype
    assert torch.equal(got.views, want)
    part = pickle.loads(pickle.dumps(read_light_field(path, **WHOLE)))
    assert torch.equal(part.views, want[1:3, :1, :, 1:4, 2:4])


@pytest.mark.parametrize("save", SAVERS)
@pytest.mark.parametrize(
    ("name", "axes", "told"),
    [
        ("LF", "vuyxc", None),
        ("views", "vucyx", None),
        ("whatever", "vuyxc", None),
        ("LF", "cxyuv", "cxyuv"),
        ("LF", "uvyxc", "uvyxc"),
    ],
)
def test_orders_of_axes(tmp_path, save, name, axes, told):
    views = random_views(3, 2, h=7, w=6)
    stored = np.ascontiguousarray(views.numpy().transpose(["vucyx".index(axis) for axis in axes]))
    path = save(tmp_path / "toy", **{name: stored})
    assert torch.equal(read_light_field(path, axes=told).views, views)
    assert torch.equal(read_light_field(path, axes=told, **WHOLE).views, views[1:3, :1, :, 1:4, 2:4])


@pytest.mark.parametrize("save", SAVERS)
def test_grey_views_without_an_axis_of_channels_and_fortran_order(tmp_path, save):
    views = random_views(3, 2, c=1, h=7, w=6)
    path = save(tmp_path / "toy", LF=np.asfortranarray(views[:, :, 0].numpy()))
    assert torch.equal(read_light_field(path).views, views)
    assert torch.equal(read_light_field(path, **WHOLE).views, views[1:3, :1, :, 1:4, 2:4])


@pytest.mark.parametrize("save", SAVERS)
def test_what_lies_beside_the_views(tmp_path, save):
    views, weights = random_views(3, 3), np.ones((3, 3), np.float32)
    weights[0, 0] = 0.5
    disparity = np.arange(20, dtype=np.float32).reshape(5, 4)
    path = save(
        tmp_path / "toy",
        views=views.numpy(),
        weights=weights,
        disparity=disparity,
        disparity_range=np.array([-1.0, 19.0]),
        transfer=np.array("linear") if save in (save_npz, save_npz_compressed) else "linear",
    )
    got = read_light_field(path)
    assert (got.transfer, got.disparity_range) == ("linear", (-1.0, 19.0))
    assert torch.equal(got.disparity, torch.from_numpy(disparity))
    assert torch.equal(got.weights, torch.from_numpy(weights))
    assert read_light_field(path, transfer="srgb").transfer == "srgb"
    assert read_light_field(path, rows=slice(0, 1)).weights.tolist() == [[0.5, 1.0, 1.0]]


@pytest.mark.parametrize("save", SAVERS)
@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"views": np.zeros((2, 2, 2), np.uint8)}, {}, "views has rank 3 (shape [2, 2, 2]), want [V, U, H, W, C]"),
        ({"views": np.zeros((2, 2, 7, 8, 9), np.uint8)}, {}, "want 1, 3 or 4 channels"),
        ({"a": np.zeros((2, 2, 3, 8, 3), np.uint8)}, {}, "which axis is the channels'? Tell with axes"),
        ({"views": np.zeros((2, 2, 3, 4, 4), np.int32)}, {}, "views has dtype int32, want uint8"),
        ({"a": np.zeros((2, 2)), "b": np.zeros(3)}, {}, "no dataset named views, LF"),
        ({"a": np.zeros((2, 2, 4, 4)), "b": np.zeros((2, 2, 4, 4))}, {}, "tell with dataset which one it is"),
        ({"views": np.zeros((2, 2, 3, 4, 4))}, {"dataset": "LF"}, "no dataset named 'LF', got 'views' [2, 2, 3, 4, 4]"),
        ({"views": np.zeros((2, 2, 3, 4, 4))}, {"axes": "vuyx"}, "which axes 'vuyx' do not fit"),
        ({"views": np.zeros((2, 2, 3, 4, 4))}, {"axes": "abc"}, "axes: got 'abc', want the letters of 'vuyxc'"),
        (
            {"views": np.zeros((2, 2, 3, 4, 4)), "weights": np.ones((3, 2))},
            {},
            "weights: got shape [3, 2], want [2, 2] as the grid",
        ),
        (
            {"views": np.zeros((2, 2, 3, 4, 4)), "weights": np.full((2, 2), 3.0)},
            {},
            "weights: want values in [0, 1], not all 0",
        ),
        (
            {"views": np.zeros((2, 2, 3, 4, 4)), "disparity": np.zeros((3, 4))},
            {},
            "disparity: got shape [3, 4], want [4, 4] as the views",
        ),
        (
            {"views": np.zeros((2, 2, 3, 4, 4)), "disparity_range": np.array([2.0, 1.0])},
            {},
            "want the lowest and the highest disparity",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_broken_arrays(tmp_path, save, arrays, options, message):
    if save is save_h5 and "LF" in arrays:
        pytest.skip("read as the first HCI benchmark's")
    fails(message, save(tmp_path / "toy", **arrays), **options)


@pytest.mark.parametrize("save", SAVERS)
def test_values_that_are_not_in_the_unit_range(tmp_path, save):
    fails_on_use(
        "has values from 0 to 255, want floating point in [0, 1]",
        save(tmp_path / "toy", views=np.linspace(0, 255, 192, dtype=np.float32).reshape(2, 2, 3, 4, 4)),
    )


def test_mat_of_hdf5_without_matlabs_header(tmp_path):
    """As h5py writes them: the suffix says that the axes are reversed."""
    views = random_views()
    with h5py.File(tmp_path / "Bikes.mat", "w") as file:
        file["LF"] = channels_last(views).transpose(4, 3, 2, 1, 0)
    field = read_light_field(tmp_path / "Bikes.mat")
    assert (field.format, field.scene) == ("epfl", "Bikes")
    assert torch.equal(field.views, views)


@pytest.mark.parametrize("save", [save_npz, save_npz_compressed, save_h5])
def test_truncated_files(tmp_path, save):
    path = save(tmp_path / "toy", views=random_views(4, 4, h=40, w=40).numpy())
    data = path.read_bytes()
    for share in (0.01, 0.3, 0.95):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(LightFieldError, match=rf"toy{path.suffix}: (not a readable|unknown format|truncated)"):
            read_light_field(path)


def test_damage_in_the_headers_of_an_npz(tmp_path):
    """NumPy's parser and zlib have errors of their own."""
    header = b"{'descr': ("
    unparsed = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "unparsed.npz", "w") as archive:
        archive.writestr("views.npy", unparsed)
    fails("unparsed.npz: not a readable .npz file, or truncated", tmp_path / "unparsed.npz")
    path = save_npz_compressed(tmp_path / "toy", views=random_views().numpy())
    data = bytearray(path.read_bytes())
    start = 30 + int.from_bytes(data[26:28], "little") + int.from_bytes(data[28:30], "little")
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
    fails("toy.npz: not a readable .npz file, or truncated", path)


def test_damage_inside_a_compressed_npz(tmp_path):
    path = save_npz_compressed(tmp_path / "toy", views=random_views(4, 4, h=40, w=40).numpy())
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 600] = bytes(600)
    path.write_bytes(data)
    fails_on_use("views cannot be read, truncated or damaged", path)


def test_truncated_zarr(tmp_path):
    path = save_zarr(tmp_path / "toy", views=random_views(2, 2, h=40, w=40).numpy())
    chunk = max((file for file in path.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    data = chunk.read_bytes()
    chunk.write_bytes(data[: len(data) // 2])
    fails_on_use("toy.zarr: not a readable Zarr array or group, or damaged", path)
    (path / "zarr.json").write_text((path / "zarr.json").read_text()[:20])
    fails("toy.zarr: not a readable Zarr array or group, or damaged", path)
    (tmp_path / "empty.zarr").mkdir()
    fails("empty.zarr: not a readable Zarr", tmp_path / "empty.zarr")
    zarr.open_group(str(tmp_path / "none.zarr"), mode="w")
    fails("none.zarr: the Zarr group holds no array", tmp_path / "none.zarr")


def test_zarr_array_without_a_group_and_zip(tmp_path):
    views = random_views(3, 3, w=7)
    array = zarr.create_array(
        str(tmp_path / "a.zarr"),
        shape=views.shape,
        chunks=(1, 1, 3, 5, 7),
        dtype="uint8",
        attributes={"transfer": "linear"},
    )
    array[...] = views.numpy()
    got = read_light_field(tmp_path / "a.zarr")
    assert (got.transfer, got.metadata["chunks"]) == ("linear", "9 of 9")
    assert torch.equal(got.views, views)
    with zarr.storage.ZipStore(str(tmp_path / "b.zarr.zip"), mode="w") as store:
        zarr.create_array(store, name="views", shape=views.shape, dtype="uint8")[...] = views.numpy()
    assert torch.equal(read_light_field(tmp_path / "b.zarr.zip").views, views)


def test_only_the_chunks_of_a_crop_are_read(tmp_path):
    """All others are destroyed on disk, and nobody notices."""
    views = random_views(4, 4, h=8, w=8)
    root = tmp_path / "a.zarr"
    array = zarr.create_array(str(root), shape=views.shape, chunks=(1, 1, 3, 8, 8), dtype="uint8")
    array[...] = views.numpy()
    for chunk in (file for file in (root / "c").rglob("*") if file.is_file()):
        if chunk.relative_to(root / "c").parts[:2] not in (("1", "2"), ("2", "2")):
            chunk.write_bytes(b"no chunk")
    got = read_light_field(root, rows=slice(1, 3), columns=slice(2, 3), crop=(2, 2, 4, 4))
    assert torch.equal(got.views, views[1:3, 2:3, :, 2:6, 2:6])
    fails_on_use("damaged", root)


def test_chunks_of_an_h5_crop(tmp_path):
    views = random_views(4, 4, h=8, w=8)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("views", data=views.numpy(), chunks=(1, 1, 3, 8, 8), compression="gzip")
        chunks = [stored.id.get_chunk_info(i) for i in range(stored.id.get_num_chunks())]
    with path.open("r+b") as file:
        for chunk in chunks:
            if chunk.chunk_offset[:2] != (1, 2):
                file.seek(chunk.byte_offset)
                file.write(bytes(chunk.size))
    got = read_light_field(path, rows=slice(1, 2), columns=slice(2, 3))
    assert torch.equal(got.views, views[1:2, 2:3])
    fails_on_use("a.h5: not a readable HDF5 file, truncated or damaged", path)


def test_npz_is_mapped_or_streamed(tmp_path, monkeypatch):
    """Of a stored array only the crop is copied; of a compressed one, one row of views is held at a time."""
    views = np.random.default_rng(0).integers(0, 255, (12, 4, 3, 100, 100), np.uint8)
    for save, held in ((save_npz, 10_000), (save_npz_compressed, 4 * views[0].size)):
        path = save(tmp_path / save.__name__, views=views)
        field = read_light_field(path, rows=slice(6, 7), columns=slice(1, 2), crop=(10, 10, 5, 5))
        tracemalloc.start()
        assert np.array_equal(field.views.numpy(), views[6:7, 1:2, :, 10:15, 10:15])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < held + 200_000
    monkeypatch.setattr(npz_reader.np, "memmap", lambda *_: pytest.fail("compressed arrays cannot be mapped"))
    assert read_light_field(path).views.shape == views.shape


@pytest.mark.parametrize("library", ["h5py", "zarr", "scipy"])
def test_missing_library_names_the_extra(tmp_path, monkeypatch, library):
    paths = {
        "h5py": save_h5(tmp_path / "a", views=np.zeros((1, 1, 3, 2, 2), np.uint8)),
        "zarr": save_zarr(tmp_path / "a", views=np.zeros((1, 1, 3, 2, 2), np.uint8)),
        "scipy": tmp_path / "a.mat",
    }
    paths["scipy"].write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM")
    real = importlib.import_module

    def import_module(name, *rest):
        if name.split(".")[0] == library:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", import_module)
    fails(
        f"needs {library} to be read: pip install {library}, or install lfdeblur with the extra 'formats'",
        paths[library],
    )


# The first HCI benchmark


def write_hci_old(path, field, *, backwards=False, depth=True):
    """As the published files: attributes with one element each, depth of every view."""
    pixels = channels_last(field.views)
    with h5py.File(path, "w") as file:
        file["LF"] = pixels[:, ::-1] if backwards else pixels
        file.attrs["dH"], file.attrs["focalLength"] = np.array([0.125]), np.array([640.0])
        file.attrs["shift"] = 4.0
        if depth:
            z = 0.125 * 640 / (field.disparity.numpy() + 4)
            file["GT_DEPTH"] = np.broadcast_to(z, (*field.grid, *field.size)).astype(np.float32)


@pytest.mark.parametrize("backwards", [False, True])
def test_hci_old(tmp_path, backwards):
    field = antinous()
    write_hci_old(tmp_path / "buddha.h5", field, backwards=backwards)
    got = read_light_field(tmp_path / "buddha.h5")
    assert (got.format, got.scene, got.metadata["dH"], got.metadata["shift"]) == ("hci-old", "buddha", 0.125, 4.0)
    assert got.metadata["columns"] == ("right to left" if backwards else "left to right")
    assert torch.equal(got.views, field.views)
    torch.testing.assert_close(got.disparity, field.disparity, atol=MANY_ROUNDINGS, rtol=0)
    extremes = field.disparity.min().item(), field.disparity.max().item()
    assert got.disparity_range == pytest.approx(extremes, abs=MANY_ROUNDINGS)
    part = read_light_field(tmp_path / "buddha.h5", rows=slice(0, 2), columns=slice(0, 2), crop=(3, 4, 5, 6))
    assert torch.equal(part.views, field.views[:2, :2, :, 3:8, 4:10])
    # By its disparity the light field is brought into focus: that is the geometry.
    sharp = lfdeblur_ops.refocus(got.views, got.disparity)[..., 12:-12, 12:-12]
    assert (sharp - field.center[..., 12:-12, 12:-12] / 255).abs().mean() < 0.006


def test_hci_old_without_depth_or_texture(tmp_path):
    field = antinous()
    write_hci_old(tmp_path / "a.h5", field, depth=False)
    got = read_light_field(tmp_path / "a.h5")
    assert (got.disparity, got.disparity_range) == (None, None)
    noise = random_views(3, 3, h=40, w=40)
    save_h5(tmp_path / "noise", LF=channels_last(noise))
    got = read_light_field(tmp_path / "noise.h5")
    assert got.metadata["columns"] == "taken as they are"
    assert torch.equal(got.views, noise)


def test_broken_hci_old(tmp_path):
    fails("LF has rank 3", save_h5(tmp_path / "a", LF=np.zeros((2, 3, 4), np.uint8)))
    fails(
        "no dataset named 'XF', got LF", save_h5(tmp_path / "b", LF=np.zeros((2, 3, 4, 4, 3), np.uint8)), dataset="XF"
    )
    field = antinous()
    write_hci_old(tmp_path / "c.h5", field, depth=False)
    with h5py.File(tmp_path / "c.h5", "a") as file:
        file["GT_DEPTH"] = np.zeros((5, 5, 96, 112), np.float32)
    fails("GT_DEPTH: want depths above 0", tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5", "a") as file:
        del file["GT_DEPTH"]
        file["GT_DEPTH"] = np.ones((5, 5, 6, 7), np.float32)
    fails("GT_DEPTH has shape [5, 5, 6, 7], want [5, 5, 96, 112] as the views", tmp_path / "c.h5")


# BasicLFSR


def luma(views):
    """Y of YCbCr in [0, 1], as BasicLFSR makes it."""
    r, g, b = (views[:, :, c].double() / 255 for c in range(3))
    return ((65.481 * r + 128.553 * g + 24.966 * b + 16) / 255).float()[:, :, None]


def write_basic_lfsr(path, views, factor=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns, _, height, width = views.shape
    mosaic = views.permute(0, 3, 1, 4, 2).reshape(rows * height, columns * width).numpy()
    with h5py.File(path, "w") as file:
        file.create_dataset("Hr_SAI_y", data=mosaic.transpose((1, 0)), dtype="single")
        file.create_dataset("Lr_SAI_y", data=mosaic[::factor, ::factor].transpose((1, 0)), dtype="single")
        file.create_dataset("Sr_SAI_cbcr", data=np.zeros((2, 4, 4), np.float32))


def test_basic_lfsr(tmp_path):
    field = antinous()
    views = luma(field.views)
    path = tmp_path / "data_for_training" / "SR_5x5_2x" / "HCI_new" / "000001.h5"
    write_basic_lfsr(path, views)
    got = read_light_field(path)
    assert (got.format, got.scene, got.grid, got.size) == ("basic-lfsr", "000001", (5, 5), (96, 112))
    assert torch.equal(got.views, views)
    low = read_light_field(path, dataset="Lr_SAI_y")
    assert torch.equal(low.views, views[..., ::2, ::2])
    part = read_light_field(path, rows=slice(1, 3), columns=slice(3, 5), crop=(10, 20, 30, 40))
    assert torch.equal(part.views, views[1:3, 3:5, :, 10:40, 20:60])
    sharp = lfdeblur_ops.refocus(got.views, field.disparity)[..., 12:-12, 12:-12]
    assert (sharp - views[2, 2][..., 12:-12, 12:-12]).abs().mean() < 0.006


def test_basic_lfsr_grids_that_are_not_square_or_not_told(tmp_path):
    views = luma(random_views(2, 3))
    write_basic_lfsr(tmp_path / "a.h5", views)
    fails("how many views Hr_SAI_y has is told by a folder like SR_5x5_4x", tmp_path / "a.h5")
    assert torch.equal(read_light_field(tmp_path / "a.h5", grid=(2, 3)).views, views)
    fails("has 10 rows and 12 columns, no multiple of 3x3 views", tmp_path / "a.h5", grid=3)
    fails("no dataset named Sr_SAI_y, got Hr_SAI_y", tmp_path / "a.h5", dataset="Sr_SAI_y")
    fails("Sr_SAI_cbcr has rank 3, want 2: a mosaic", tmp_path / "a.h5", dataset="Sr_SAI_cbcr", grid=2)


def test_real_views_survive_every_container(tmp_path):
    """The real light field, in each container: the same views, so the same sign as the original's."""
    field = antinous()
    for save in SAVERS:
        path = save(tmp_path / save.__name__, LF=channels_last(field.views), disparity=field.disparity.numpy())
        got = read_light_field(path)
        assert torch.equal(got.views, field.views)
