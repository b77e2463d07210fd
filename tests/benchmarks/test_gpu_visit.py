"""``benchmarks/gpu_visit.sh`` with stand-ins for a GPU machine's programs: steps, limits, exit status."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu_visit.sh"
TIMEOUT = """#!/bin/sh
# timeout -k 5 SECONDS COMMAND...: notes its limit
shift 2; echo "limit $1" >>"$LOG"; shift; exec "$@"
"""
PYTHON = """#!/bin/sh
case "$*" in *get_device_capability*) [ -n "$NO_GPU" ] && exit 1; echo 9.0; exit;; esac
echo "python3 $* [$TORCH_CUDA_ARCH_LIST]" >>"$LOG"
case "$*" in *"$FAILS"*) echo "it fails" >&2; exit 3;; esac
"""
SANITIZER = """#!/bin/sh
echo "compute-sanitizer $*" >>"$LOG"
"""
COPY = """#!/bin/sh
echo "cp $*" >>"$LOG"
"""


@pytest.fixture
def visit(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "timeout": TIMEOUT,
        "python3": PYTHON,
        "compute-sanitizer": SANITIZER,
        "nvidia-smi": "#!/bin/sh\necho 'a GPU'\n",
        "cp": COPY,
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    def run(*arguments, fails="nothing", **environment):
        log = tmp_path / "log"
        log.write_text("")
        settings = {"PATH": f"{programs}:{os.environ['PATH']}", "LOG": str(log), "OUT": str(tmp_path / "out")}
        settings["GPU_KIT"] = str(tmp_path / "kit")
        done = subprocess.run(
            ["bash", str(SCRIPT), *arguments],
            env=os.environ | settings | {"FAILS": fails} | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done, log.read_text().splitlines()

    return run


def steps(log):
    """Limit and command of each step."""
    return [(int(limit.split()[1]), command) for limit, command in zip(log[::2], log[1::2], strict=True)]


def test_first_visit(visit, tmp_path):
    done, log = visit("first", "200")
    assert done.returncode == 0, done.stderr
    limits, commands = zip(*steps(log), strict=True)
    assert limits[0] == 120
    assert "-e . [9.0]" in commands[0]
    modules = [command.split()[2] for command in commands[1:4]]
    assert modules == ["benchmarks.gpu.warm", "benchmarks.gpu.smoke", "benchmarks.gpu.network"]
    assert limits[1:4] == (36, 50, 50)
    assert "-m cuda" in commands[4]
    assert "test_graph_engine.py" in commands[4]
    assert commands[5].startswith("compute-sanitizer --error-exitcode 9 python3 -m benchmarks.gpu.exercise")
    assert "-m benchmarks --device cuda" in commands[-1]
    assert limits[-1] <= 200  # what is left, as the stand-ins take no time
    assert done.stdout.splitlines()[0] == "a GPU"
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["visit.log"]


def test_second_visit(visit):
    done, log = visit("second", TESTS="conv3x3")
    assert done.returncode == 0, done.stderr
    assert any("-m pytest" in line and "-k conv3x3" in line for line in log)
    rows = next(line for line in log if "-m benchmarks --device cuda --seconds 0.1" in line)
    assert "--without compile: --without freezing --only drbnet --only drb_head" in rows


def test_a_kit_spares_the_build(visit, tmp_path):
    (tmp_path / "kit" / "lfdeblur_ops").mkdir(parents=True)
    (tmp_path / "kit" / "wheels").mkdir()
    done, log = visit("first")
    assert done.returncode == 0, done.stderr
    assert not any("-e ." in line for line in log)
    assert any(line.startswith("cp ") and line.endswith(" lfdeblur_ops/") for line in log)


def test_a_failed_step_is_counted_and_the_others_run(visit):
    done, log = visit("first", fails="-m pytest")
    assert done.returncode == 1
    assert "== tests: 3" in done.stdout
    assert "it fails" in done.stdout
    assert "-m benchmarks --device cuda" in log[-1]
    done, log = visit("first", fails="pip install")
    assert done.returncode == 1
    assert len(log) == 2  # without a build there is nothing to run


def test_sweep(visit):
    done, log = visit("sweep", "refocus")
    assert done.returncode == 0
    assert "-m benchmarks.gpu.sweep refocus --seconds 4" in log[-1]
    done, log = visit("sweep")
    assert done.returncode != 0
    assert "needs the name of an op" in done.stderr


def test_what_is_no_visit(visit):
    done, log = visit("third")
    assert done.returncode == 2
    assert "got 'third', want first, second or sweep OP" in done.stderr
    assert log == []


def test_without_a_gpu(visit):
    done, log = visit(NO_GPU="1")
    assert done.returncode == 1
    assert "no torch that sees an NVIDIA GPU" in done.stderr
    assert log == []
