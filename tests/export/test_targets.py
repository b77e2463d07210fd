"""``export`` and ``lfdeblur export``: what is written where, and what is refused."""

import functools
import json
import os
import signal
import subprocess
import sys
import zipfile

import onnx
import pytest
import torch
from safetensors.torch import save_file

from lfdeblur_models import ExportError, OutputError, export
from lfdeblur_models.export import TARGETS, card, onnx_file
from lfdeblur_ops.testing import MANY_ROUNDINGS

from ..networks.official_weights import official_weights
from .networks import SIZES, restored, unit_pictures
from .runtimes import in_onnxruntime, in_openvino


@pytest.fixture
def run(command):
    return functools.partial(command, "export")


@pytest.fixture
def weights(tmp_path, networks):
    """Files of weights, by name of the network."""
    paths = {name: tmp_path / f"{name}.safetensors" for name in ("single", "dual")}
    for name, path in paths.items():
        save_file(networks[name].state_dict(), path)
    return paths


OUT = {name: f"out/deep/a{target.suffix}" for name, target in TARGETS.items()}
LONG = "a" * 300 + ".onnx"
QUICK = [name for name in TARGETS if name not in ("torch", "aoti")]  # those have tests of their own


@pytest.mark.parametrize("to", QUICK)
def test_command_makes_the_folder_and_leaves_nothing_beside_the_result(run, tmp_path, weights, to):
    out = tmp_path / OUT[to]
    for _ in range(2):  # the second replaces the first
        assert run("--weights", weights["single"], "--to", to, "--out", out) == (0, f"{out}\n", "")
        wanted = {out.name} | ({"a.bin"} if to == "openvino" else set())
        assert {path.name for path in out.parent.iterdir()} == wanted


def test_published_checkpoint(run, tmp_path):
    torch.save({"params": official_weights("single")}, tmp_path / "single.pth")
    assert run("--weights", tmp_path / "single.pth", "--to", "onnx", "--out", tmp_path / "a.onnx")[0] == 0
    told = {one.key: one.value for one in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert json.loads(told["drbnet"])["width"] == 32
    assert (told["license"], told["name"]) == ("unknown", "drbnet-single")


def test_openvino_files(networks, exported):
    network = networks["dual"]
    pictures = unit_pictures(network, SIZES[0])
    got = in_openvino(exported("dual", "openvino"))(pictures)
    torch.testing.assert_close(got, restored(network, pictures), rtol=0, atol=MANY_ROUNDINGS)
    sizes = [exported("dual", "openvino", precision=p).with_suffix(".bin").stat().st_size for p in ("fp32", "fp16")]
    assert sizes[1] < 0.6 * sizes[0]


def test_dtmodel_is_what_darktable_looks_for(run, tmp_path, networks, weights):
    out = tmp_path / "a.dtmodel"
    assert run("--weights", weights["single"], "--to", "dtmodel", "--out", out)[0] == 0
    with zipfile.ZipFile(out) as archive:
        assert set(archive.namelist()) == {"denoise-drbnet-single/config.json", "denoise-drbnet-single/model.onnx"}
        config = json.loads(archive.read("denoise-drbnet-single/config.json"))
        model = archive.read("denoise-drbnet-single/model.onnx")
    assert config["id"] == "denoise-drbnet-single"
    assert (config["task"], config["backend"], config["tiling"], config["num_inputs"]) == ("denoise", "onnx", True, 1)
    assert {"name", "description", "version", "model_card"} <= set(config)
    assert {"license", "training_data", "training_data_license", "author", "scope"} <= set(config["model_card"])
    loaded = onnx.load_from_string(model)
    assert [one.name for one in loaded.graph.input] == ["input"]
    assert loaded.opset_import[0].version == 17
    side = min(config["attributes"]["input_sizes"])
    pictures = unit_pictures(networks["single"], (1, side, side))
    got = in_onnxruntime(model)(pictures)
    torch.testing.assert_close(got, restored(networks["single"], pictures), rtol=0, atol=MANY_ROUNDINGS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "gguf", "--out", "a.gguf"], "--to: got 'gguf', want one of onnx, openvino, torch, aoti, dtmodel"),
        (["--to", "onnx", "--out", "a.pt2"], "--out: got a.pt2, want a name that ends in .onnx for onnx"),
        (["--to", "openvino", "--out", "a.bin"], "--out: got a.bin, want a name that ends in .xml for openvino"),
        (["--to", "hub", "--out", "a.safetensors"], "--out: got a.safetensors, want the name of a folder for hub"),
        (["--to", "onnx", "--out", "a.onnx", "--precision", "fp8"], "--precision: got 'fp8', want fp32 or fp16"),
        (["--to", "onnx", "--out", "a.onnx", "--opset", 16], "--opset: got 16, too old, want 17 to 21"),
        (["--to", "dtmodel", "--out", "a.dtmodel", "--opset", 99], "--opset: got 99, too new, want 17 to 21"),
        (["--to", "torch", "--out", "a.pt2", "--opset", 99], "--opset: got 99, too new, want 17 to 21"),
        (["--to", "torch", "--out", "a.pt2", "--opset", 18], "--opset: got 18, but torch is not made from ONNX"),
        (["--to", "hub", "--out", "."], "cannot replace the folder .: want a folder by its name"),
        (["--to", "spandrel", "--out", ""], "cannot replace the folder .: want a folder by its name"),
        (["--to", "onnx", "--out", LONG], f"cannot write {LONG}: File name too long"),
        (["--to", "hub", "--out", LONG[:-5]], f"cannot write {LONG[:-5]}: File name too long"),
        (["--to", "openvino", "--out", "alone.xml"], "cannot write alone.bin: it is there without alone.xml"),
        (
            ["--to", "onnx", "--out", "a.onnx", "--weights", "nets"],
            "nets: is a folder, want a file of weights; its weigh",
        ),
        (["--to", "onnx", "--out", "a.onnx", "--weights", "n.onnx"], "n.onnx: is an ONNX file, want weights: .safete"),
        (["--to", "onnx", "--out", "a.onnx", "--weights", "gone.pth"], "gone.pth: no such file of weights"),
        (["--to", "onnx", "--out", "folder.onnx"], "cannot write folder.onnx: is a folder"),
        (["--to", "hub", "--out", "file"], "cannot write to the folder file: is a file"),
        (["--to", "onnx", "--out", "file/a.onnx"], "cannot write to the folder file: is a file"),
    ],
    ids=str,
)
def test_bad_options_are_one_line(run, tmp_path, monkeypatch, weights, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "alone.bin").write_bytes(b"mine")
    (tmp_path / "n.onnx").write_bytes(b"no pickle")
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "model.safetensors").write_bytes(b"")
    before = set(tmp_path.iterdir())
    given = [] if "--weights" in options else ["--weights", weights["single"]]
    code, said, err = run(*given, *options)
    assert (code, said) == (2, "")
    assert err.startswith(f"lfdeblur: error: {message}")
    assert err.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"fc.weight": torch.zeros(2, 2)}, "not weights of DRBNet"),
        ({"encoder.0.0.weight": torch.zeros(8, 3, 3, 3)}, "not weights of DRBNet"),
    ],
)
def test_a_checkpoint_of_another_network(run, tmp_path, tensors, message):
    save_file(tensors, tmp_path / "other.safetensors")
    code, _, err = run("--weights", tmp_path / "other.safetensors", "--to", "onnx", "--out", tmp_path / "a.onnx")
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(("to", "who"), [("dtmodel", "darktable"), ("spandrel", "spandrel")])
def test_two_views_for_a_program_of_one_picture(run, tmp_path, weights, to, who):
    code, _, err = run("--weights", weights["dual"], "--to", to, "--out", tmp_path / OUT[to])
    assert (code, err) == (
        2,
        f"lfdeblur: error: --weights: got dual-view weights, {who} has one picture to give; want single-view weights\n",
    )


def test_half_precision_that_overflows_is_one_line(run, tmp_path, networks):
    state = networks["single"].state_dict() | {"encoder.0.0.bias": torch.full((8,), 1e5)}
    save_file(state, tmp_path / "large.safetensors")
    options = ["--to", "onnx", "--out", tmp_path / "a.onnx", "--precision", "fp16"]
    code, _, err = run("--weights", tmp_path / "large.safetensors", *options)
    assert code == 2
    assert err.startswith("lfdeblur: error: --precision: fp16 overflows, encoder.0.0.bias reaches 1e+05")


@pytest.mark.parametrize(("to", "package"), [("onnx", "onnx"), ("openvino", "openvino"), ("dtmodel", "onnx")])
def test_a_package_that_is_not_installed(run, tmp_path, monkeypatch, weights, to, package):
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = run("--weights", weights["single"], "--to", to, "--out", tmp_path / OUT[to])
    assert (code, err) == (
        2,
        f"lfdeblur: error: export to {to} needs {package}: pip install 'lfdeblur[{package}]'\n",
    )


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_what_is_there_stays_when_writing_fails(tmp_path, monkeypatch, networks, to):
    out = tmp_path / f"a{TARGETS[to].suffix}"
    export(networks["single"], to, out)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx_file, "write_onnx", fail)
    monkeypatch.setattr("openvino.save_model", fail)
    with pytest.raises(OutputError, match="No space left"):
        export(networks["dual"], to, out)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


FULL = """
import sys

from lfdeblur_models import OutputError, export, load_network

for to, out in (("torch", "a.pt2"), ("openvino", "a.xml"), ("hub", "hub")):
    try:
        export(load_network(sys.argv[1]), to, out)
    except OutputError as error:
        print(error)
"""


def test_a_full_disk_is_one_line(tmp_path, weights):
    """In a process: some writers end theirs. The limit of a file's size stands for the disk's."""
    resource = pytest.importorskip("resource")
    (tmp_path / "full").mkdir()
    done = subprocess.run(
        [sys.executable, "-B", "-W", "ignore", "-c", FULL, str(weights["single"])],
        cwd=tmp_path / "full",
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, 1 << 14)),
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"cannot write {name}" for name in ("a.pt2", "a.bin", "hub")]
    assert not list((tmp_path / "full").iterdir())


EXPORTS = """
import sys
from pathlib import Path

from lfdeblur_models import export, load_network
from lfdeblur_models.export import TARGETS, card_of

for to in ("onnx", "openvino", "torch", "dtmodel", "spandrel", "hub"):
    export(load_network(sys.argv[1]), to, Path(sys.argv[2]) / f"{to}{TARGETS[to].suffix}", card=card_of(None))
"""


def test_the_same_bytes_in_every_process(tmp_path, weights):
    found = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        command = [sys.executable, "-W", "ignore", "-c", EXPORTS, weights["single"], folder]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": seed}, timeout=240)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        found.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
    assert len(found[0]) == 12
    assert found[0] == found[1]


def test_termination_leaves_nothing(tmp_path, monkeypatch, run, weights):
    def killed(model, path):
        path.write_bytes(b"half")
        signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(onnx_file, "write_onnx", killed)
    assert run("--weights", weights["single"], "--to", "onnx", "--out", tmp_path / "out" / "a.onnx")[0] == 143
    assert list((tmp_path / "out").iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_commit_is_of_this_checkout(monkeypatch, tmp_path):
    told = card.made_by()
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    assert card.made_by() == told


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(("value", "name"), [(float("nan"), "NaN"), (float("inf"), "infinity")])
def test_weights_that_are_no_numbers(run, tmp_path, networks, precision, value, name):
    path = tmp_path / "bad.safetensors"
    save_file(networks["single"].state_dict() | {"encoder.0.0.bias": torch.full((8,), value)}, path)
    code, _, err = run("--weights", path, "--to", "onnx", "--out", tmp_path / "a.onnx", "--precision", precision)
    assert (code, err) == (
        2,
        f"lfdeblur: error: {path}: not weights of DRBNet: encoder.0.0.bias holds {name}\n",
    )


def test_python_function_checks_the_network(tmp_path):
    with pytest.raises(ExportError, match="network: got Linear, want a DRBNet"):
        export(torch.nn.Linear(1, 1), "onnx", tmp_path / "a.onnx")
