"""Import of the compiled extension ``lfdeblur_ops._C``, which loads the library of the ops that stands beside it.

Without it every op runs on its PyTorch reference.
"""

import importlib
import os
import warnings
from pathlib import Path
from types import ModuleType

MISSING: str | None = None  # why the extension is not there
extension: ModuleType | None = None

if os.environ.get("LFDEBLUR_DISABLE_EXTENSION") == "1":
    MISSING = "the compiled extension is switched off by LFDEBLUR_DISABLE_EXTENSION=1"
else:
    try:
        extension = importlib.import_module("lfdeblur_ops._C")
    except ImportError as error:
        MISSING = f"the compiled extension cannot be imported ({error})"
        warnings.warn(
            f"lfdeblur_ops: {MISSING}; every op falls back to its slower PyTorch reference. "
            "Build it with 'pip install .' in the source folder (needs a C++17 compiler; nvcc for the CUDA kernels).",
            RuntimeWarning,
            stacklevel=3,
        )

if extension is not None and (wrong := extension.isa_error()):
    raise ValueError(wrong)

# Read once: torch.compile cannot trace a call into the extension that is not an operator.
FACTS: dict[str, object] | None = None if extension is None else dict(extension.build_facts())


def library() -> Path | None:
    """The shared library that has the ops, for C++ programs too; None without the extension."""
    if extension is None or extension.__file__ is None:
        return None
    return Path(extension.__file__).with_name("liblfdeblur_ops.so")
