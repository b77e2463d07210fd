"""The ops as the kernel-builder compiled them: under a name of this build's own, so that several can be loaded."""

import json
from pathlib import Path

from . import _ops

MISSING: str | None = None
extension = _ops

_METADATA = Path(__file__).with_name("metadata.json")
_BACKEND = json.loads(_METADATA.read_text())["backend"] if _METADATA.is_file() else {"type": "cpu"}
FACTS: dict[str, object] | None = {
    "cuda": _BACKEND["type"] == "cuda",
    "cuda_stream": True,
    "cuda_architectures": ";".join(_BACKEND.get("archs", ())),
}


def library() -> None:
    """C++ programs have lfdeblur's own."""
