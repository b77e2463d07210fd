"""The built extension: what it needs of the library that torch is, held against the oldest torch that is supported."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lfdeblur_ops import _load

OLDEST = Path(__file__).parent / "torch_2_11.txt"


@pytest.fixture(scope="module")
def needed():
    """Names of undefined symbols, but for weak ones, which may be missing."""
    found = _load.library()
    if found is None or shutil.which("nm") is None:
        pytest.skip("no built extension here, or no nm to read it with")
    listed = subprocess.run(["nm", "-D", "--undefined-only", found], capture_output=True, text=True, check=True)
    symbols = [line.split()[-2:] for line in listed.stdout.splitlines()]
    return {name.split("@")[0] for kind, name in symbols if kind == "U"}


def test_the_oldest_torch_has_all_that_is_needed(needed):
    has = {line for line in OLDEST.read_text().splitlines() if not line.startswith("#")}
    used = {name for name in needed if re.match(r"aoti_torch_|torch_", name)}
    assert len(used) > 40
    assert used <= has, f"torch 2.11 lacks {sorted(used - has)}"


def test_nothing_of_torch_is_needed_but_its_c_interface(needed):
    beside = subprocess.run(["c++filt"], input="\n".join(sorted(needed)), capture_output=True, text=True, check=True)
    bound = [name for name in beside.stdout.splitlines() if re.search(r"\b(at|c10|torch|caffe2)::", name)]
    assert not bound


def test_the_library_needs_no_python(needed):
    assert not [name for name in needed if name.startswith(("Py", "_Py"))]
