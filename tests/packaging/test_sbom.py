"""The bill of materials of a wheel: valid, whole, and the same each time."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("cyclonedx", reason="the extra 'package' is not installed")
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "csrc/packaging"))
from sbom import ASSETS, add_sbom, bill, compiled  # noqa: E402

COMMON = "#define PYBIND11_VERSION_MAJOR 3\n#define PYBIND11_VERSION_MINOR 0\n#define PYBIND11_VERSION_MICRO 1\n"


@pytest.fixture
def parts(tmp_path):
    (tmp_path / "pybind11/detail").mkdir(parents=True)
    (tmp_path / "pybind11/detail/common.h").write_text(COMMON)
    return [*compiled("2.13.0", tmp_path, "13.0"), *ASSETS]


def test_the_bill_is_valid_and_tells_versions_and_licences(parts):
    text = bill("lfdeblur", "0.1.0", "Apache-2.0 AND MIT", parts)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = json.loads(text)
    assert told["metadata"]["component"]["version"] == "0.1.0"
    found = {each["name"]: (each.get("version"), each["licenses"][0]["expression"]) for each in told["components"]}
    assert found["pybind11"] == ("3.0.1", "BSD-3-Clause")
    assert found["cudart"] == ("13.0", "LicenseRef-NVIDIA-CUDA-Toolkit")
    assert set(found) == {part.name for part in parts}
    (whole,) = (each for each in told["dependencies"] if each["ref"] == "lfdeblur")
    assert sorted(whole["dependsOn"]) == sorted(found)


def test_the_same_contents_give_the_same_bytes(parts, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    text = bill("lfdeblur", "0.1.0", "MIT", parts)
    assert text == bill("lfdeblur", "0.1.0", "MIT", parts)
    assert text != bill("lfdeblur", "0.1.0", "MIT", parts[1:])
    assert json.loads(text)["metadata"]["timestamp"].startswith("2023-11-14T22:13:20")


def test_torch_s_own_headers_tell_the_version_of_pybind11():
    torch = pytest.importorskip("torch")
    named = {part.name: part for part in compiled("2", Path(torch.__file__).parent / "include", None)}
    assert set(named) == {"torch", "pybind11"}  # without CUDA nothing of NVIDIA's
    assert len(named["pybind11"].version.split(".")) == 3


def test_it_stands_where_pep_770_wants_it(parts, tmp_path):
    wheel = tmp_path / "lfdeblur-0.1.0-py3-none-any.whl"
    facts = "Metadata-Version: 2.4\nName: lfdeblur\nVersion: 0.1.0\nLicense-Expression: Apache-2.0\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("lfdeblur-0.1.0.dist-info/METADATA", facts)
    with zipfile.ZipFile(add_sbom(wheel, parts)) as archive:
        told = json.loads(archive.read("lfdeblur-0.1.0.dist-info/sboms/lfdeblur.cdx.json"))
    assert told["metadata"]["component"]["licenses"] == [{"expression": "Apache-2.0"}]


def test_every_asset_of_others_is_told():
    folders = {path.parent.name for path in (ROOT / "models/assets").glob("*/LICENSE*")}
    assert len(folders) == len(ASSETS)
    assert all(any(folder.startswith(part.name) for part in ASSETS) for folder in folders), folders
