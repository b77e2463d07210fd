"""Facts of the build, for bug reports and benchmark tables."""

from typing import Any

import torch

from . import _load
from ._version import __version__


def build_info() -> dict[str, Any]:
    """Version and build of this installation.

    Returns a dict: ``version``; ``extension`` (True, or why it is missing); ``library`` (the path of the
    shared library of the ops, which C++ programs load; None without the extension); ``cuda`` (kernels built in);
    ``cuda_version`` and ``cuda_architectures`` of the build (None without); ``cpu_capability``, the CPU instruction
    set in use: ``baseline``, ``avx2`` or ``avx512`` (None without the extension; the environment variable
    ``LFDEBLUR_CPU_ISA`` lowers it); ``torch_built`` and ``torch_running``.
    """
    facts = _load.FACTS or {}
    return {
        "version": __version__,
        "extension": True if _load.extension is not None else _load.MISSING,
        "library": None if (library := _load.library()) is None else str(library),
        "cuda": facts.get("cuda", False),
        "cuda_version": facts.get("cuda_version"),
        "cuda_architectures": facts.get("cuda_architectures"),
        "cpu_capability": facts.get("cpu_capability"),
        "torch_built": facts.get("torch_version"),
        "torch_running": torch.__version__,
    }
