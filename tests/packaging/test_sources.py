"""What a source distribution holds and what is said of the package, from setuptools' own lists: nothing is compiled."""

import fnmatch
import os
import re
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.licenses import canonicalize_license_expression

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "csrc/packaging"))
from description import for_index  # noqa: E402

LEFT_OUT = [".ci/*", ".github/*", ".gitignore", ".pre-commit-config.yaml"]  # of the repository


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    out = tmp_path_factory.mktemp("facts")
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(out)]
    environment = os.environ | {"LFDEBLUR_EXTENSION": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return out / "lfdeblur.egg-info"


@pytest.fixture(scope="module")
def sources(facts):
    return (facts / "SOURCES.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def metadata(facts):
    return message_from_bytes((facts / "PKG-INFO").read_bytes())


def test_sources_are_all_that_the_repository_has(sources):
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no repository here")
    names = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    wanted = {name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in LEFT_OUT)}
    assert len(wanted) > 500
    assert wanted - set(sources) == set()


@pytest.mark.parametrize(
    "folder", ["csrc/cpu/kernels", "csrc/cuda", "csrc/include/lfdeblur", "tests/ops", "csrc/licenses"]
)
def test_sources_have_what_a_build_and_its_tests_read(folder, sources):
    files = {str(path.relative_to(ROOT)) for path in (ROOT / folder).iterdir() if path.is_file()}
    assert files
    assert files <= set(sources)


def test_sources_have_nothing_that_was_built(sources):
    assert [name for name in sources if re.search(r"\.(so|o|pyc)$|^(build|dist)/|__pycache__", name)] == []


def test_metadata(metadata):
    assert metadata["Name"] == "lfdeblur"
    expression = metadata["License-Expression"]
    assert canonicalize_license_expression(expression) == expression
    assert expression.startswith("Apache-2.0 AND ")
    files = metadata.get_all("License-File")
    assert {"LICENSE", "csrc/licenses/NVIDIA-CUDA-Toolkit.txt", "models/assets/chess/LICENSE.md"} <= set(files)
    assert all((ROOT / name).is_file() for name in files)
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_the_description_leads_nowhere_into_the_repository(metadata):
    text = metadata.get_payload()
    assert len(text) > 2000
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


def test_pictures_and_their_captions_are_left_out_of_the_description():
    picture = "![a picture\nof two lines](docs/a.jpg)\n\n*Its caption, [linked](docs/b.md).*"
    readme = f"# A\n\n{picture}\n\nSee [b](docs/b.md), [c](https://c.de).\n\n*Stays.*\n"
    assert for_index(readme) == "# A\n\nSee b, [c](https://c.de).\n\n*Stays.*\n"
    assert for_index("![far](https://c.de/a.png)\n") == "![far](https://c.de/a.png)\n"
