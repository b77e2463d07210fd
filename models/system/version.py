"""The version, known without the import of PyTorch that ``lfdeblur_ops`` begins with."""

import importlib.util
from pathlib import Path


def _version() -> str:
    ops = importlib.util.find_spec("lfdeblur_ops")
    assert ops is not None
    assert ops.origin is not None
    told: dict[str, str] = {}
    exec(Path(ops.origin).with_name("_version.py").read_text(encoding="utf-8"), told)  # one assignment
    return told["__version__"]


__version__ = _version()
