"""The Triton kernels on a CPU: ``test_triton.py`` by Triton's interpreter, which must be chosen before any import."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("selection", "marked", "least"),
    [
        ("drb_head", "not slow", 16),
        ("not drb_head", "not slow", 33),
        pytest.param("test_", "slow", 19, marks=pytest.mark.slow),
    ],
)
def test_kernels_by_the_interpreter(selection, marked, least):
    """``least``: tests that the selection has; together they have all of them."""
    tests = ["tests/kernels/test_triton.py", "-k", selection, "-m", marked]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= least
