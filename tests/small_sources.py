"""A copy of what setup.py reads, without what it would only pack: builds in it are quick, and harm nothing."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = (
    "setup.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "lfdeblur_ops/__init__.py",
    "lfdeblur_ops/_version.py",
    "models/__init__.py",
    "models/lfdeblur/__init__.py",
)


def copy_sources(folder: Path) -> None:
    """Into a folder that is made."""
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "csrc", folder / "csrc")
