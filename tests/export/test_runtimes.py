"""``lfdeblur deblur --runtime`` and ``open_exported``: files of ours in the runtimes of others, with our tiles."""

import functools
import json
import sys
import zipfile

import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from lfdeblur_models import ExportedFileError, deblur, open_exported
from lfdeblur_models.inference.tiled_network import BudgetError, TiledNetwork
from lfdeblur_models.io.images import read_image, write_image
from lfdeblur_ops.testing import MANY_ROUNDINGS

from ..natural import psnr

RUNTIMES = {"onnx": "onnx", "openvino": "openvino"}  # and what is exported for them


@pytest.fixture
def run(command):
    return functools.partial(command, "deblur")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    write_image(path, torch.randint(0, 256, (3, 150, 90), dtype=torch.uint8))
    return path


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("tile", [None, 96])
def test_results_of_the_network_with_the_same_tiles(networks, exported, runtime, tile):
    network, picture = networks["single"], torch.rand(3, 131, 90)
    theirs = open_exported(exported("single", runtime), runtime)
    assert (theirs.configuration, theirs.views) == (network.configuration, 1)
    got = deblur(theirs, picture, tile=tile, overlap=None if tile is None else 24)
    want = deblur(network, picture, tile=tile, overlap=None if tile is None else 24)
    torch.testing.assert_close(got, want, rtol=0, atol=MANY_ROUNDINGS)
    assert psnr(got, picture) < 60  # the network does something


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_command(run, tmp_path, photo, networks, exported, runtime):
    path = exported("single", runtime)
    save_file(networks["single"].state_dict(), tmp_path / "own.safetensors")
    options = [photo, "--strength", 0.5, "--tile", 96, "--overlap", 24, "--dtype", "float32"]
    assert run(*options, "--weights", tmp_path / "own.safetensors", "--out", tmp_path / "own")[0] == 0
    code, said, err = run(*options, "--weights", path, "--runtime", runtime, "--out", tmp_path / "theirs")
    assert (code, err) == (0, "")
    assert said.startswith(f"1 picture in {tmp_path / 'theirs'}: ")
    assert said.endswith(f"runtime of {runtime}\n")
    own, theirs = (read_image(tmp_path / name / photo.name)[0].int() for name in ("own", "theirs"))
    assert (own - theirs).abs().max() <= 1


def test_two_views(run, tmp_path, photo, exported):
    sides = []
    for name in ("left", "right"):
        sides += [f"--{name}", tmp_path / f"{name}.png"]
        write_image(tmp_path / f"{name}.png", torch.randint(0, 256, (3, 150, 90), dtype=torch.uint8))
    options = [photo, "--weights", exported("dual", "onnx"), "--runtime", "onnx", "--out", tmp_path / "out"]
    code, _, err = run(*options)
    assert code == 2
    assert "they need one IMG (both views together), --left and --right" in err
    assert run(*options, *sides)[0] == 0


def test_openvino_in_bfloat16(networks, exported):
    picture = torch.rand(3, 64, 64)
    wide, narrow = (
        deblur(open_exported(exported("single", "openvino"), "openvino", dtype), picture)
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert psnr(narrow, wide) > 35  # on processors without such instructions it is float32


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_memory_is_measured_and_kept_to(exported, runtime):
    tiled = TiledNetwork(open_exported(exported("single", runtime), runtime))
    assert 100 < tiled.need.per_pixel < 1e5
    small = tiled.grid(2000, 3000, tiled.need.bytes(300**2))
    assert small.tile[0] * small.tile[1] <= 300**2
    with pytest.raises(BudgetError, match="a tile takes"):
        tiled.grid(2000, 3000, tiled.need.bytes(10))


def test_a_budget_makes_tiles(run, tmp_path, photo, exported):
    options = [photo, "--weights", exported("single", "onnx"), "--runtime", "onnx", "--out", tmp_path / "out"]
    code, _, err = run(*options, "--memory", "1MB")
    assert (code, err.startswith("lfdeblur: error: --memory: got 1 MB, want at least")) == (2, True)
    assert run(*options, "--memory", "20GB")[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runtime", "onnx"], "--runtime: it needs --weights, a file that lfdeblur export wrote"),
        (["--weights", "a.onnx"], "a.onnx: an exported file; tell by --runtime what runs it: onnx, openvino, torch"),
        (["--runtime", "tflite", "--weights", "a.onnx"], "--runtime: got 'tflite', want onnx, openvino or torch"),
        (["--runtime", "openvino", "--weights", "a.onnx"], "a.onnx: got .onnx, the runtime openvino takes .xml"),
        (
            ["--runtime", "onnx", "--weights", "a.onnx", "--device", "foo"],
            "--device: got 'foo', want auto, cpu or cuda",
        ),
        (["--runtime", "onnx", "--weights", "gone.onnx"], "gone.onnx: no such file"),
        (["--runtime", "onnx", "--weights", "broken.onnx"], "broken.onnx: cannot be read by the runtime onnx"),
        (["--runtime", "torch", "--weights", "broken.pt2"], "broken.pt2: cannot be read by the runtime torch"),
        (["--runtime", "openvino", "--weights", "broken.xml"], "broken.xml: cannot be read by the runtime openvino"),
        (
            ["--runtime", "onnx", "--weights", "a.onnx", "--dtype", "bfloat16"],
            "--dtype: got bfloat16, the runtime onnx takes float32",
        ),
        (["--runtime", "onnx", "--weights", "a.onnx", "--device", "cuda"], "--device: got cuda, but --runtime runs on"),
    ],
    ids=str,
)
def test_bad_options_are_one_line(run, tmp_path, monkeypatch, photo, exported, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.onnx").write_bytes(exported("single", "onnx").read_bytes())
    for suffix in ("onnx", "pt2", "xml"):
        (tmp_path / f"broken.{suffix}").write_bytes(b"no such thing")
    code, said, err = run(photo, "--out", tmp_path / "out", *options)
    assert (code, said) == (2, "")
    assert err.startswith(f"lfdeblur: error: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("runtime", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_a_runtime_that_is_not_installed(monkeypatch, exported, runtime, package):
    path = exported("single", runtime)
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"the runtime {runtime} needs {package}: pip install 'lfdeblur\[{runtime}\]'"
    with pytest.raises(ExportedFileError, match=message):
        open_exported(path, runtime)


def test_a_file_that_export_did_not_write(tmp_path, exported):
    model = onnx.load(exported("single", "onnx"))
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ExportedFileError, match=r"other.onnx: not written by lfdeblur export"):
        open_exported(tmp_path / "other.onnx", "onnx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 10**9}, "not written by lfdeblur export"),
        ({"scales": 40}, "not written by lfdeblur export"),
        ({"views": 2}, "the runtime onnx fails on a picture of 8x8 pixels"),
    ],
)
def test_metadata_that_lie(run, tmp_path, photo, exported, change, message):
    model = onnx.load(exported("single", "onnx"))
    (told,) = [one for one in model.metadata_props if one.key == "drbnet"]
    told.value = json.dumps(json.loads(told.value) | change)
    onnx.save(model, tmp_path / "lies.onnx")
    with pytest.raises(ExportedFileError, match=rf"lies.onnx: {message}") as error:
        open_exported(tmp_path / "lies.onnx", "onnx")
    assert "\n" not in str(error.value)
    options = ["--weights", tmp_path / "lies.onnx", "--runtime", "onnx"]
    assert run(photo, *options, "--out", tmp_path / "out")[0] == 2
    assert not (tmp_path / "out").exists()


def test_a_picture_that_the_runtime_fails_on_does_not_end_a_batch(run, tmp_path, monkeypatch, photo, exported):
    small = tmp_path / "small.png"
    write_image(small, torch.zeros(3, 5, 5, dtype=torch.uint8))
    session = onnxruntime.InferenceSession

    class Fails(session):
        def run(self, names, given):
            if given["input"].shape[2] == 5:
                raise RuntimeError("no such size")
            return super().run(names, given)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Fails)
    options = ["--weights", exported("single", "onnx"), "--runtime", "onnx", "--out", tmp_path / "out"]
    code, said, err = run(small, photo, *options)
    assert code == 1
    assert said.startswith(f"1 picture in {tmp_path / 'out'}: ")
    assert err.startswith(f"lfdeblur: error: {small}: ")
    assert "fails on a picture of 5x5 pixels (no such size)" in err


@pytest.mark.parametrize("size", [(1, 1), (4, 3), (4, 90)])
def test_small_pictures_in_a_program_of_pytorch(networks, exported, size):
    picture, theirs = torch.rand(3, *size), open_exported(exported("single", "torch"), "torch")
    got, want = deblur(theirs, picture), deblur(networks["single"], picture)
    assert got.shape == want.shape
    assert psnr(got, want) > 25  # another border


@pytest.mark.parametrize(
    ("weights", "message"),
    [(None, "its weights, a.bin, are not beside it"), (b"short", "Incorrect weights in bin file")],
)
def test_openvino_without_its_weights(tmp_path, exported, weights, message):
    (tmp_path / "a.xml").write_bytes(exported("single", "openvino").read_bytes())
    if weights is not None:
        (tmp_path / "a.bin").write_bytes(weights)
    with pytest.raises(ExportedFileError, match=message):
        open_exported(tmp_path / "a.xml", "openvino")


def test_a_zip_that_is_no_program(tmp_path, capfd):
    with zipfile.ZipFile(tmp_path / "a.pt2", "w") as archive:
        archive.writestr("a/b", "c")
    with pytest.raises(ExportedFileError, match=r"a.pt2: cannot be read by the runtime torch \(a zip, but none of"):
        open_exported(tmp_path / "a.pt2", "torch")
    assert capfd.readouterr() == ("", "")


def test_program_of_pytorch(networks, exported):
    picture, theirs = torch.rand(3, 45, 51), open_exported(exported("dual", "torch"), "torch")
    got = deblur(theirs, picture, left=picture, right=picture)
    want = deblur(networks["dual"], picture, left=picture, right=picture)
    torch.testing.assert_close(got, want, rtol=0, atol=MANY_ROUNDINGS)
    tiny = torch.rand(3, 1, 2)
    assert deblur(theirs, tiny, left=tiny, right=tiny).shape == tiny.shape
