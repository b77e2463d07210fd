"""The ops as the kernel-builder compiled them: under a name of this build's own, so that several can be loaded."""

import json
from pathlib import Path

from . import _ops

MISSING: str | None = None
extension = _ops
NAMESPACE = _ops.add_op_namespace_prefix("").removesuffix("::")

_BUILT = Path(__file__).with_name("metadata.json")
_BACKEND = json.loads(_BUILT.read_text())["backend"] if _BUILT.is_file() else {"type": "cpu"}
FACTS: dict[str, object] | None = {
    "cuda": _BACKEND["type"] == "cuda",
    "cuda_stream": True,
    "cuda_version": None,
    "cuda_architectures": ";".join(_BACKEND.get("archs", ())),
    "cpu_capability": None,
    "torch_version": None,
}
