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


@pytest.fixture
def visit(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "timeout": TIMEOUT,
        "python3": PYTHON,
        "compute-sanitizer": SANITIZER,
        "nvidia-smi": "#!/bin/sh\necho 'a GPU'\n",
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    def run(*arguments, fails="nothing", **environment):
        log = tmp_path / "log"
        log.write_text("")
        settings = {"PATH": f"{programs}:{os.environ['PATH']}", "LOG": str(log), "OUT": str(tmp_path / "out")}
        done = subprocess.run(
            ["bash", str(SCRIPT), *arguments],
            env=os.environ | settings | {"FAILS": fails} | environment,
            capture_output=True,
            text=True,
        )
        return done, log.read_text().splitlines()

    return run


def test_all_steps_within_nine_minutes(visit):
    done, log = visit()
    assert done.returncode == 0, done.stderr
    limits = [int(line.split()[1]) for line in log if line.startswith("limit")]
    assert limits[:4] == [300, 180, 70, 70]
    assert 300 < limits[4] <= 535  # what is left, as the stand-ins take no time; 5 s more before it is killed
    commands = [line for line in log if not line.startswith("limit")]
    assert "-e . [9.0]" in commands[0]
    assert "-m cuda" in commands[1]
    assert "tests/inference/test_graph_engine.py" in commands[1]
    assert [line.split()[2] for line in commands[2:4]] == ["memcheck", "racecheck"]
    assert "-m benchmarks --device cuda" in commands[4]
    assert done.stdout.splitlines()[0] == "a GPU"


def test_a_failed_step_is_counted_and_the_others_run(visit):
    done, log = visit(fails="-m pytest")
    assert done.returncode == 1
    assert "== tests: 3" in done.stdout
    assert "it fails" in done.stdout
    assert "-m benchmarks --device cuda" in log[-1]
    done, log = visit(fails="pip install")
    assert done.returncode == 1
    assert len(log) == 2  # without a build there is nothing to run


def test_sweep(visit):
    done, log = visit("sweep", "refocus")
    assert done.returncode == 0
    assert "-m benchmarks.gpu.sweep refocus --seconds 5" in log[-1]
    assert int(log[-1].split("--seconds ")[1].split()[0]) <= 520
    done, log = visit("sweep")
    assert done.returncode != 0
    assert "needs the name of an op" in done.stderr


def test_without_a_gpu(visit):
    done, log = visit(NO_GPU="1")
    assert done.returncode == 1
    assert "no torch that sees an NVIDIA GPU" in done.stderr
    assert log == []
