"""The Pythons that wheels are made for, and where they are."""

import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


def interpreter(version: str) -> Path:
    """A CPython of a version such as 3.12: this one, pyenv's newest, or one on the PATH."""
    if version == HERE:
        return Path(sys.executable)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = {
        int(re.sub(r"\D", "", path.parts[-3].split(".")[2])): path
        for path in root.glob(f"versions/{version}.*/bin/python")
    }
    if found:
        return found[max(found)]
    if on_path := shutil.which(f"python{version}"):
        return Path(on_path)
    raise SystemExit(f"no Python {version} on the PATH nor in {root}")
