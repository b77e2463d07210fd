"""What a build compiles, with a compiler that only takes notes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_sources import copy_sources

ROOT = Path(__file__).parents[2]
COMPILER = """#!{python}
import sys
from pathlib import Path

output, sources = sys.argv[sys.argv.index("-o") + 1], [word for word in sys.argv if word.endswith((".cpp", ".o"))]
Path(output).write_bytes(b"")
if "-MF" in sys.argv:
    headers = [word for word in {headers} if word.split("/")[-1].split(".")[0] in sources[0]]
    escaped = output.replace(" ", "\\\\ ")
    Path(sys.argv[sys.argv.index("-MF") + 1]).write_text(f"{{escaped}}: {{sources[0]}} {{' '.join(headers)}}")
with open("{log}", "a") as log:
    print(Path(output).name if "-shared" in sys.argv else sources[0], file=log)
"""


@pytest.fixture
def build(tmp_path):
    """A call that builds a copy of the sources and gives the names of what was compiled and linked."""
    sources, log, compiler = tmp_path / "the sources", tmp_path / "log", tmp_path / "compiler"
    copy_sources(sources)
    headers = [str(path.relative_to(sources)) for path in sources.glob("csrc/cpu/*.h")]
    compiler.write_text(COMPILER.format(python=sys.executable, headers=headers, log=log))
    compiler.chmod(0o755)

    def run(*touched, **environment):
        log.write_text("")
        for name in touched:
            os.utime(sources / name)
        command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
        environment = os.environ | {"CXX": str(compiler), "LFDEBLUR_CUDA": "0"} | environment
        done = subprocess.run(command, cwd=sources, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr + done.stdout
        return log.read_text().split()

    run.sources = sources
    return run


def test_only_what_changed_is_compiled(build):
    linked = sorted((name for name in build() if not name.startswith("csrc/")), reverse=True)
    library, module = linked
    assert library == "liblfdeblur_ops.so"
    assert module.startswith("_C.")
    assert all((build.sources / "lfdeblur_ops" / name).is_file() for name in linked)
    assert build() == []
    assert build("csrc/refocus.cpp") == ["csrc/refocus.cpp", *linked]
    assert build("csrc/module.cpp") == ["csrc/module.cpp", module]
    of_refocus = [*build.sources.glob("csrc/*refocus*.cpp"), *build.sources.glob("csrc/cpu/*refocus*.cpp")]
    of_refocus += 3 * [*build.sources.glob("csrc/cpu/kernels/*refocus*.cpp")]  # once per instruction set
    expected = sorted(str(path.relative_to(build.sources)) for path in of_refocus)
    assert sorted(build("csrc/cpu/refocus.h")) == sorted([*expected, *linked])


def test_another_build_in_place_gives_way(build):
    build()
    libraries = [*(build.sources / "lfdeblur_ops").glob("*.so")]
    assert len(libraries) == 2
    for library in libraries:
        library.write_bytes(b"a debug build, newer than the one that is put back")
    assert build() == []
    assert {library.read_bytes() for library in libraries} == {b""}


def test_the_extension_can_be_left_out(build):
    assert build(LFDEBLUR_EXTENSION="0") == []
    assert not list(build.sources.rglob("*.so"))


def commands(target):
    """What ``make`` would run for a target in a fresh clone."""
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    done = subprocess.run(
        ["make", "-n", target, "VENV=no-such-folder"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("target", "compiles"), [("lint", False), ("format", False), ("test", True), ("demo", True)])
def test_make_compiles_only_for_targets_that_run_it(target, compiles):
    assert ("build_ext" in commands(target)) == compiles
    assert "pip install" in commands(target)


@pytest.mark.parametrize(("gpus", "settings"), [("", "[0] [8.0]"), ("9.0\n8.0\n9.0", "[] [8.0;9.0]")])
def test_make_builds_cuda_kernels_for_the_gpus_there_are(gpus, settings, tmp_path):
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\ncat <<.\n{gpus}\n.\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if k not in ("LFDEBLUR_CUDA", "TORCH_CUDA_ARCH_LIST")}
    environment["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    tell = 'tell: ; @echo "[$$LFDEBLUR_CUDA] [$$TORCH_CUDA_ARCH_LIST]"'
    done = subprocess.run(
        ["make", "-s", f"--eval={tell}", "tell"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == settings, done.stderr
