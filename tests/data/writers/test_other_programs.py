"""What other programs read of the files that are written: SciPy, h5py as MATLAB has it, NumPy, Zarr, Pillow."""

import configparser
import json

import numpy as np
import pytest
import torch
from PIL import Image

from lfdeblur_models.data import read_light_field, read_pfm
from lfdeblur_models.data.writers import matlab

from ..readers.light_field_files import channels_last
from .light_fields import noise, place, with_everything


@pytest.fixture(params=[torch.uint8, torch.uint16, torch.float32], ids=str)
def field(request):
    return with_everything(dtype=request.param)


def test_numpy(tmp_path, field):
    field.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["views"], field.views.numpy())
        assert np.array_equal(arrays["weights"], field.weights.numpy())
        assert np.array_equal(arrays["disparity"], field.disparity.numpy())
        assert (str(arrays["transfer"]), arrays["disparity_range"].tolist()) == ("linear", [-1.1, 2.25])
        assert json.loads(str(arrays["metadata_json"])) == field.metadata


def test_h5py(tmp_path, field):
    h5py = pytest.importorskip("h5py")
    field.save(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["views"][()], field.views.numpy())
        assert np.array_equal(file["weights"][()], field.weights.numpy())
        assert file["transfer"].asstr()[()] == "linear"


def test_zarr(tmp_path, field):
    zarr = pytest.importorskip("zarr")
    field.save(tmp_path / "a.zarr")
    group = zarr.open(str(tmp_path / "a.zarr"), mode="r")
    assert np.array_equal(group["views"][...], field.views.numpy())
    assert group["views"].chunks == (1, 1, *field.shape[2:])
    assert np.array_equal(group["disparity"][...], field.disparity.numpy())
    assert group.attrs["transfer"] == "linear"


def test_scipy_reads_epfl(tmp_path, field):
    scipy_io = pytest.importorskip("scipy.io")
    field.save(tmp_path / "a.mat")
    read = scipy_io.loadmat(tmp_path / "a.mat")
    assert read["LF"].dtype == field.views.numpy().dtype
    assert np.array_equal(read["LF"], channels_last(field.views))
    assert np.array_equal(read["lfdeblur_disparity"], field.disparity.numpy())


def test_h5py_reads_lftoolbox_with_reversed_axes(tmp_path, field):
    """MATLAB lists axes the other way round, so that to it this is LF(t, s, v, u, c)."""
    h5py = pytest.importorskip("h5py")
    field.save(tmp_path / "a__Decoded.mat")
    header = (tmp_path / "a__Decoded.mat").read_bytes()[:128]
    assert header.startswith(b"MATLAB 7.3 MAT-file")
    assert header[124:] == b"\x00\x02IM"
    with h5py.File(tmp_path / "a__Decoded.mat") as file:
        matlab = file["LF"][()].transpose(4, 3, 2, 1, 0)
        assert np.array_equal(matlab[..., :3], channels_last(field.views))
        full = np.iinfo(matlab.dtype).max if matlab.dtype.kind == "u" else 1
        means = matlab[..., 3].mean((2, 3), dtype=np.float64) / full
        assert np.array_equal(means.astype(np.float32), field.weights.numpy())
        classes = {torch.uint8: b"uint8", torch.uint16: b"uint16", torch.float32: b"single"}
        assert file["LF"].attrs["MATLAB_class"] == classes[field.dtype]
        assert file["LFMetadata"].attrs["MATLAB_class"] == b"struct"
        name = file["LFMetadata/Scene"]
        assert name.attrs["MATLAB_class"] == b"char"
        assert "".join(map(chr, name[()].T[0])) == "toy"


def test_epfl_of_two_gigabytes_is_version_7_3(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    monkeypatch.setattr(matlab, "_LARGEST", 100)
    field = noise()
    field.save(tmp_path / "a.mat")
    with h5py.File(tmp_path / "a.mat") as file:
        assert np.array_equal(file["LF"][()].transpose(4, 3, 2, 1, 0), channels_last(field.views))
    got = read_light_field(tmp_path / "a.mat")
    assert (got.format, got.metadata["matlab"]) == ("epfl", "7.3")
    assert torch.equal(got.views, field.views)


def test_basic_lfsr_as_its_loader_reads(tmp_path):
    """``transpose(Hr_SAI_y, (1, 0))`` is the mosaic of views, each H x W; the smaller one is of the same grid."""
    h5py = pytest.importorskip("h5py")
    field = noise(c=1, dtype=torch.float32, metadata={"channel": "Y of YCbCr (16/255 to 235/255)"})
    written = field.save(place(tmp_path, "basic-lfsr", field), "basic-lfsr")
    with h5py.File(written.path) as file:
        high, low = (np.transpose(file[name][()], (1, 0)) for name in ("Hr_SAI_y", "Lr_SAI_y"))
    assert high.dtype == low.dtype == np.float32
    views = high.reshape(3, 8, 2, 4).transpose(0, 2, 1, 3)
    assert np.array_equal(views, field.views[:, :, 0].numpy())
    assert low.shape == (3 * 2, 2 * 1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
def test_pictures(tmp_path, dtype):
    """Pillow reads 8 bits of colour and 16 bits of grey."""
    field = noise(c=3 if dtype == torch.uint8 else 1, dtype=dtype)
    for layout in ("hci", "views", "mosaic", "eslf"):
        field.save(
            place(tmp_path, layout, field).with_name(f"{layout}_{layout}.png")
            if layout in ("mosaic", "eslf")
            else tmp_path / layout,
            layout,
        )

    def pixels(path):
        with Image.open(path) as picture:
            values = np.asarray(picture)
        return values if values.ndim == 3 else values[..., None]

    views = channels_last(field.views)
    for v in range(3):
        for u in range(2):
            assert np.array_equal(pixels(tmp_path / "hci" / f"input_Cam{2 * v + u:03d}.png"), views[v, u])
            assert np.array_equal(pixels(tmp_path / "views" / f"view_r{v:02d}_c{u:02d}.png"), views[v, u])
            assert np.array_equal(pixels(tmp_path / "mosaic_mosaic.png")[8 * v :, 4 * u :][:8, :4], views[v, u])
            assert np.array_equal(pixels(tmp_path / "eslf_eslf.png")[v::3, u::2], views[v, u])


def test_the_benchmarks_own_files(tmp_path):
    field = with_everything()
    field.save(tmp_path / "toy", "hci")
    parser = configparser.ConfigParser()
    parser.read(tmp_path / "toy" / "parameters.cfg")
    assert (parser["extrinsics"]["num_cams_x"], parser["extrinsics"]["num_cams_y"]) == ("2", "3")
    assert parser["extrinsics"]["baseline_mm"] == "1.5"
    assert (parser["meta"]["disp_min"], parser["meta"]["disp_max"]) == ("-1.1", "2.25")
    assert (tmp_path / "toy" / "gt_disp_lowres.pfm").read_bytes().startswith(b"Pf\n4 8\n-1.0\n")
    assert torch.equal(read_pfm(tmp_path / "toy" / "gt_disp_lowres.pfm"), field.disparity)
