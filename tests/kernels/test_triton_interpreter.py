"""The Triton kernels on a CPU: ``test_triton.py`` by Triton's interpreter, which must be chosen before any import."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("triton")
ROOT = Path(__file__).parents[2]


def interpret(selection):
    tests = ["tests/kernels/test_triton.py", "-k", selection]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_kernels_by_the_interpreter():
    with ThreadPoolExecutor() as pool:
        parts = list(pool.map(interpret, ("drb_head", "not drb_head")))
    for done in parts:
        assert done.returncode == 0, done.stdout + done.stderr
    assert sum(int(re.search(r"(\d+) passed", done.stdout)[1]) for done in parts) >= 60
