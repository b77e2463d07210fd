"""Folders: for spandrel, for the Hugging Face Hub, and the networks that come back from them."""

import dataclasses
import errno
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import PyTorchModelHubMixin
from safetensors import safe_open
from safetensors.torch import load_file

from lfdeblur_models import DRBNet, OutputError, export, load_network
from lfdeblur_models.export import card_of
from lfdeblur_models.export.architecture import DRBNet as PlainDRBNet
from lfdeblur_models.networks.pretrained import PretrainedError
from lfdeblur_ops.testing import MANY_ROUNDINGS

from .alone import in_a_process
from .networks import SHAPES

# What DRBNet finds of spandrel 0.4, which itself needs torchvision.
SPANDREL = """
class Architecture:
    def __class_getitem__(cls, item): return cls
    def __init__(self, *, id, detect): self.id, self.detect = id, detect
class ImageModelDescriptor:
    def __class_getitem__(cls, item): return cls
    def __init__(self, model, state_dict, **told):
        model.load_state_dict(state_dict)
        self.model, self.told = model, told
class ModelTiling:
    SUPPORTED = "supported"
class ArchSupport:
    @staticmethod
    def from_architecture(architecture): return architecture
class Registry(dict):
    def add(self, architecture): self[architecture.id] = architecture
MAIN_REGISTRY = Registry()
"""
UTIL = """
class KeyCondition:
    @staticmethod
    def has_all(*keys): return lambda state: all(key in state for key in keys)
"""


@pytest.fixture
def spandrel(monkeypatch):
    """A module that stands for spandrel; its registry."""
    module, util = types.ModuleType("spandrel"), types.ModuleType("spandrel.util")
    exec(SPANDREL, module.__dict__)
    exec(UTIL, util.__dict__)
    monkeypatch.setitem(sys.modules, "spandrel", module)
    monkeypatch.setitem(sys.modules, "spandrel.util", util)
    return module.MAIN_REGISTRY


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_spandrel_folder_alone_in_a_process(tmp_path, networks, precision):
    folder = export(networks["single"], "spandrel", tmp_path / "node", card=card_of("a.pth"), precision=precision)
    assert {path.name for path in folder.iterdir()} == {
        "drbnet-a.safetensors",
        "drbnet_arch.py",
        "__init__.py",
        "README.md",
    }
    state = load_file(folder / "drbnet-a.safetensors")
    assert {value.dtype for value in state.values()} == {torch.float32 if precision == "fp32" else torch.float16}
    with safe_open(folder / "drbnet-a.safetensors", "pt") as file:
        assert json.loads(file.metadata()["drbnet"])["width"] == 8
    network = DRBNet(**SHAPES["single"]).eval()
    network.load_state_dict(state)
    for got, want in in_a_process(tmp_path / "process", network, module=folder / "drbnet_arch.py"):
        torch.testing.assert_close(got, want, rtol=0, atol=MANY_ROUNDINGS)


def test_what_spandrel_is_told(tmp_path, monkeypatch, networks, spandrel):
    export(networks["single"], "spandrel", tmp_path / "node")
    monkeypatch.syspath_prepend(tmp_path)
    import node  # as ComfyUI imports custom nodes

    assert node.NODE_CLASS_MAPPINGS == {}
    architecture = spandrel["DRBNet"]
    state = load_file(tmp_path / "node" / "drbnet.safetensors")
    assert architecture.detect(state)
    assert not architecture.detect({"encoder.0.0.weight": state["encoder.0.0.weight"]})
    descriptor = architecture.load(state)
    assert (descriptor.told["scale"], descriptor.told["purpose"]) == (1, "Restoration")
    assert descriptor.told["tags"] == ["8w", "7k"]
    with pytest.raises(ValueError, match="dual-view weights take three pictures"):
        architecture.load(networks["dual"].state_dict())


@pytest.mark.parametrize("name", SHAPES)
def test_hub_folder_comes_back_without_network_and_hub(tmp_path, monkeypatch, networks, name):
    export(networks[name], "hub", tmp_path / "a")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    network = DRBNet.from_pretrained(tmp_path / "a")
    assert network.configuration == networks[name].configuration
    assert not network.training
    for key, value in network.state_dict().items():
        assert torch.equal(value, networks[name].state_dict()[key])


def test_hub_folder_in_half_precision_is_half_as_large(tmp_path, networks):
    sizes = []
    for precision in ("fp32", "fp16"):
        export(networks["single"], "hub", tmp_path / precision, precision=precision)
        sizes.append((tmp_path / precision / "model.safetensors").stat().st_size)
        assert next(DRBNet.from_pretrained(tmp_path / precision).parameters()).dtype == torch.float32
    assert sizes[1] < 0.55 * sizes[0]


@pytest.mark.parametrize(("weights", "licence"), [(None, "apache-2.0"), ("a.pth", "other")])
def test_model_card_has_the_hubs_header(tmp_path, networks, weights, licence):
    export(networks["single"], "hub", tmp_path / "a", card=card_of(weights))
    _, header, text = (tmp_path / "a" / "README.md").read_text().split("---\n", 2)
    told = yaml.safe_load(header)
    assert (told["license"], told["pipeline_tag"], told["library_name"]) == (licence, "image-to-image", "lfdeblur")
    assert "image-restoration" in told["tags"]
    for heading in ("## Use", "## Weights", "| trained on |", "| limits |"):
        assert heading in text


def test_files_are_those_of_the_hubs_own_mixin(tmp_path, networks):
    class Theirs(PlainDRBNet, PyTorchModelHubMixin):
        def __init__(self, views=1, width=32, kernel_size=7, scales=4, variant="full"):
            super().__init__(views, width, kernel_size, scales)

    theirs, network = Theirs(width=8, scales=3), networks["single"]
    theirs.save_pretrained(tmp_path / "theirs")
    state = DRBNet.from_pretrained(tmp_path / "theirs").state_dict()
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in state.items())
    network.save_pretrained(tmp_path / "ours")
    state = Theirs.from_pretrained(tmp_path / "ours").state_dict()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in state.items())


def test_from_the_hub_and_to_it(tmp_path, monkeypatch, networks):
    """Against a module that stands for huggingface_hub: this machine may have no network."""
    uploaded, asked = {}, []

    class HfApi:
        def __init__(self, token):
            asked.append(token)

        def create_repo(self, repo_id, private, exist_ok):
            return types.SimpleNamespace(repo_id=f"me/{repo_id}")

        def upload_folder(self, repo_id, folder_path, commit_message):
            uploaded.update({path.name: path.read_bytes() for path in Path(folder_path).iterdir()})
            return f"https://hub/{repo_id}"

    def hf_hub_download(repo_id, filename, **options):
        if repo_id != "me/net":
            raise FileNotFoundError("404 Client Error\nmore")
        asked.append(options["revision"])
        (tmp_path / filename).write_bytes(uploaded[filename])
        return str(tmp_path / filename)

    hub = types.SimpleNamespace(HfApi=HfApi, hf_hub_download=hf_hub_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    network = networks["dual"]
    assert network.push_to_hub("net", card="# A card", token="t") == "https://hub/me/net"
    assert uploaded["README.md"] == b"# A card"
    back = DRBNet.from_pretrained("me/net", revision="v1")
    assert back.configuration == network.configuration
    assert asked == ["t", "v1", "v1"]
    with pytest.raises(PretrainedError, match=r"^me/other: no such folder, and the Hub gives no config.json \(404 Cl"):
        DRBNet.from_pretrained("me/other")


def test_the_hub_without_its_package(monkeypatch, networks):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (lambda: DRBNet.from_pretrained("me/net"), lambda: networks["single"].push_to_hub("net")):
        with pytest.raises(PretrainedError, match=r"needs the extra 'hub': pip install 'lfdeblur\[hub\]'"):
            call()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("config.json", None, "holds no config.json"),
        ("model.safetensors", None, "holds no model.safetensors"),
        ("config.json", "{", "config.json: no configuration of DRBNet"),
        ("config.json", '{"width": 0}', "config.json: no configuration of DRBNet: width: got 0"),
        (
            "config.json",
            '{"width": 12, "scales": 3}',
            "model.safetensors: not the tensors of config.json: [0-9]+ misshaped: ",
        ),
        (
            "config.json",
            '{"width": 1e8}',
            "config.json: no configuration of DRBNet: width: got 100000000.0, want a whole",
        ),
        (
            "config.json",
            '{"width": 100000000}',
            "config.json: no configuration of DRBNet: width: got 100000000, want at",
        ),
        ("config.json", '{"scales": 40}', "config.json: no configuration of DRBNet: scales: got 40, want at most 10"),
        (
            "config.json",
            '{"width": 1024, "scales": 10}',
            "not the tensors of config.json: ",
        ),  # terabytes, were it built
        ("config.json", "[]", "config.json: no configuration of DRBNet: it tells none of views, width"),
        ("config.json", "{}", "config.json: no configuration of DRBNet: it tells none of views, width"),
        ("config.json", '"x"', "config.json: no configuration of DRBNet: it tells none of views, width"),
        ("model.safetensors", "cut off", "model.safetensors: not the tensors of config.json"),
    ],
)
def test_folders_that_are_no_network(tmp_path, networks, file, text, message):
    networks["single"].save_pretrained(tmp_path)
    if text is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(text)
    with pytest.raises(PretrainedError, match=message) as error:
        DRBNet.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)


def test_keys_of_others_in_the_configuration(tmp_path, networks):
    networks["single"].save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"transformers_version": "5"}))
    assert DRBNet.from_pretrained(tmp_path).width == 8


def test_the_one_line_of_the_issue(tmp_path, networks):
    networks["single"].save_pretrained(tmp_path / "a")
    line = f"from lfdeblur_models import DRBNet; print(DRBNet.from_pretrained({str(tmp_path / 'a')!r}).width)"
    done = subprocess.run([sys.executable, "-c", line], check=True, capture_output=True, text=True)
    assert done.stdout == "8\n"


def no_space(*_, **__):
    raise OSError(errno.ENOSPC, "No space left")


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch, networks):
    network, folder = networks["single"], tmp_path / "a"
    export(network, "hub", folder)
    (folder / "README.md").write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", no_space)
        with pytest.raises(OutputError, match=f"^cannot write {folder}: No space left"):
            export(network, "hub", folder)
    assert (folder / "README.md").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1
    export(network, "hub", folder)
    assert (folder / "README.md").read_text() != "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_is_replaced_not_followed(tmp_path, networks):
    export(networks["single"], "hub", tmp_path / "old")
    before = (tmp_path / "old" / "model.safetensors").read_bytes()
    (tmp_path / "link").symlink_to("old")
    (tmp_path / "nowhere").symlink_to("gone")
    for name in ("link", "nowhere"):
        export(networks["dual"], "hub", tmp_path / name)
        assert not (tmp_path / name).is_symlink()
        assert DRBNet.from_pretrained(tmp_path / name).views == 2
    assert (tmp_path / "old" / "model.safetensors").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"old", "link", "nowhere"}


def test_a_folder_with_the_name_of_a_result_is_not_one(tmp_path, networks):
    (tmp_path / "a" / "README.md").mkdir(parents=True)
    (tmp_path / "a" / "README.md" / "mine").write_text("mine")
    with pytest.raises(OutputError, match=r"cannot replace the folder .*a: it holds README.md"):
        export(networks["single"], "hub", tmp_path / "a")
    assert (tmp_path / "a" / "README.md" / "mine").read_text() == "mine"


@pytest.mark.parametrize(("to", "file"), [("hub", "model.safetensors"), ("spandrel", "drbnet-compact.safetensors")])
def test_what_is_told_of_weights_travels_on(tmp_path, networks, to, file):
    own = card_of(None)
    export(networks["single"], to, tmp_path / "a", card=own)
    assert card_of(tmp_path / "a" / file) == own
    assert load_network(tmp_path / "a" / file).configuration == networks["single"].configuration
    card = dataclasses.replace(own, name="../Up")  # names of files are made of it
    export(networks["single"], "hub", tmp_path / "b", card=card)
    assert card_of(tmp_path / "b" / "model.safetensors").name == "up"


def test_a_folder_with_other_files_is_never_replaced(tmp_path, networks):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"1")
    with pytest.raises(OutputError, match=r"cannot replace the folder .*photos: it holds a.jpg"):
        export(networks["single"], "hub", tmp_path / "photos")
    assert (tmp_path / "photos" / "a.jpg").read_bytes() == b"1"
