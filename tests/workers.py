"""How tests share the machine with the other workers of ``pytest -n``."""

import os

WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
CORES = max(1, (os.cpu_count() or 1) // WORKERS)

# What these tests share takes long to make: those of a file or folder run in one worker.
TOGETHER = (
    "tests/data/test_ray_generate.py",
    "tests/inference/test_compile_optimized.py",
    "tests/kernels/cuda_on_cpu/",
    "tests/kernels/test_cuda_build.py",
    "tests/networks/test_ahead_of_time.py",
    "tests/ops/test_distributed.py",
    "tests/training/test_ablate.py",
)


def together(test: str) -> str:
    """What a test, by its id, must share a worker with."""
    return next((shared for shared in TOGETHER if test.startswith(shared)), test)
