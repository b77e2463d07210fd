"""What setup.py makes where there is no compiler, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_sources import copy_sources

ROOT = Path(__file__).parents[2]
WARNING = "WARNING: no C++ compiler"


@pytest.fixture
def setup(tmp_path):
    """A call in a small copy of the sources, with no program on the PATH; gives exit code, output and the wheels."""
    source = tmp_path / "the source"
    copy_sources(source)
    (tmp_path / "bin").mkdir()

    def run(*words, **environment):
        kept = {k: v for k, v in os.environ.items() if k not in ("CXX", "CUDA_HOME", "CUDA_PATH", "LFDEBLUR_CUDA")}
        environment = kept | {"PATH": str(tmp_path / "bin")} | environment
        command = [sys.executable, "setup.py", "-q", *words]
        done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr, [path.name for path in source.glob("dist/*")]

    run.programs = tmp_path / "bin"
    run.source = source
    return run


def test_without_a_compiler_the_wheel_is_pure_after_one_warning(setup):
    code, said, wheels = setup("bdist_wheel")
    assert code == 0, said
    assert said.count(WARNING) == 1
    assert len(wheels) == 1
    assert wheels[0].endswith("-py3-none-any.whl")
    assert {path.name for path in setup.source.iterdir()} - {path.name for path in ROOT.iterdir()} <= {"dist", "build"}


def test_pip_first_asks_for_metadata_without_a_warning(setup):
    code, said, _ = setup("egg_info")
    assert (code, WARNING in said) == (0, False)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"LFDEBLUR_EXTENSION": "1"}, "lfdeblur: no C++ compiler: neither c++, g++ nor clang++ is on the PATH"),
        ({"LFDEBLUR_CUDA": "1"}, "lfdeblur: no C++ compiler: neither c++, g++ nor clang++ is on the PATH"),
        ({"CXX": "conda-c++ -m64"}, "CXX=conda-c++ -m64: there is no conda-c++"),
        ({"LFDEBLUR_EXTENSION": "yes"}, "LFDEBLUR_EXTENSION: got 'yes', want 0 or 1"),
    ],
)
def test_what_was_asked_for_and_cannot_be_is_an_error(environment, message, setup):
    code, said, wheels = setup("bdist_wheel", **environment)
    assert (code, wheels) == (1, [])
    assert message in said


def program(setup, name, text):
    path = setup.programs / name
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


def test_what_the_compiler_says_is_shown(setup):
    program(setup, "c++", "import sys\nsys.exit('winograd.h:7: error: that is no type')")
    code, said, wheels = setup("bdist_wheel", LFDEBLUR_CUDA="0", PATH=f"{setup.programs}:/usr/bin:/bin")
    assert (code, wheels) == (1, [])
    assert "winograd.h:7: error: that is no type" in said
    assert "lfdeblur: the extension did not compile" in said


def test_a_given_toolkit_that_is_none_is_an_error_that_names_it(setup):
    code, said, _ = setup("build_ext", CXX=sys.executable, CUDA_HOME="/no/cuda")
    assert code == 1
    assert "CUDA_HOME=/no/cuda: no CUDA toolkit there: /no/cuda has no bin/nvcc" in said
    assert setup("bdist_wheel", CUDA_HOME="/no/cuda")[0] == 0  # nothing is compiled here
