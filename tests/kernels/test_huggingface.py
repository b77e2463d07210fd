"""The layout of Hugging Face's kernels, read as its builder does; ``make hub-kernel`` also compiles and runs it."""

import subprocess
import sys
from pathlib import Path

CHECK = Path(__file__).parents[2] / "csrc" / "huggingface" / "check.py"


def check(out):
    return subprocess.run([sys.executable, CHECK, out], capture_output=True, text=True)


def test_the_layout_is_complete(tmp_path):
    done = check(tmp_path / "kernel")
    assert done.returncode == 0, done.stderr
    assert "the layout of edition 5" in done.stdout
    ops = (tmp_path / "kernel" / "csrc" / "refocus.cpp").read_text()
    assert "STABLE_TORCH_LIBRARY_FRAGMENT(TORCH_EXTENSION_NAME, m)" in ops
    assert "from . import _ops" in (tmp_path / "kernel" / "torch-ext" / "lfdeblur_ops" / "refocus.py").read_text()


def test_a_folder_that_is_there_is_kept(tmp_path):
    (tmp_path / "mine").write_text("mine")
    done = check(tmp_path)
    assert done.returncode != 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
