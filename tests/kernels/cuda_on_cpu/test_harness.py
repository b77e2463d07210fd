"""The harness sees kernels that were broken on purpose."""

import pytest
import torch

from . import KernelError, build_broken
from .calls import NEEDS_COMPILER, apertures, random, run_filter, run_refocus

pytestmark = NEEDS_COMPILER
BROKEN = {
    "border clamp": (
        (
            "dynamic_filter_tile.h",
            "min(max(y + i, 0), height - 1)",
            "min(max(y + i, 0), height - 2)",
            "dynamic_filter.cu",
        ),
        AssertionError,
    ),
    "missing barrier": (
        (
            "dynamic_filter.cu",
            "__syncthreads();\n    if (!live) continue;",
            "if (!live) continue;",
            "dynamic_filter.cu",
        ),
        AssertionError,
    ),
    "missing barrier before the next tile": (
        ("dynamic_filter.cu", "if (c0) __syncthreads();", "", "dynamic_filter.cu"),
        AssertionError,
    ),
    "divergent barrier": (
        (
            "dynamic_filter.cu",
            "__syncthreads();\n    if (!live) continue;",
            "if (!live) continue;\n    __syncthreads();",
            "dynamic_filter.cu",
        ),
        KernelError,
    ),
    "misaligned read": (
        (
            "dynamic_filter_tile.h",
            "aligned16(image) && aligned16(other_image)",
            "aligned16(other_image)",
            "dynamic_filter_backward.cu",
        ),
        KernelError,
    ),
    "stride of 32 bits": (
        (
            "dynamic_filter.cu",
            "(ky * k + kx + i) * s.ft",
            "(ky * k + kx + i) * static_cast<int>(s.ft)",
            "dynamic_filter.cu",
        ),
        KernelError,
    ),
    "read out of bounds": (
        ("dynamic_filter.cu", "live = px < s.width && py < s.height", "live = px < s.width", "dynamic_filter.cu"),
        KernelError,
    ),
    "shared memory too small": (
        ("dynamic_filter_tile.h", "* tile.rows * tile.pitch", "* (tile.rows - 1) * tile.pitch", "dynamic_filter.cu"),
        KernelError,
    ),
    "missing barrier between two rows of filters": (
        (
            "dynamic_filter_backward.cu",
            "__syncthreads();\n      if (s.fx == taps)",
            "if (s.fx == taps)",
            "dynamic_filter_backward.cu",
        ),
        AssertionError,
    ),
    "two blocks write a pixel": (
        (
            "dynamic_filter_backward.cu",
            "threadIdx.x == 0 || threadIdx.x == 31",
            "threadIdx.x == 0",
            "dynamic_filter_backward.cu",
        ),
        AssertionError,
    ),
    "write out of bounds": (
        ("refocus.cu", "r < rows && y0 + r < s.h", "r < rows", "refocus.cu"),
        KernelError,
    ),
    "missing barrier in a reduction": (
        (
            "refocus_backward.cu",
            "__syncthreads();\n        if (thread < half)",
            "if (thread < half)",
            "refocus_backward.cu",
        ),
        AssertionError,
    ),
    "missing barrier between two views": (
        ("refocus_stack.cu", "__syncthreads();\n          v = next;", "v = next;", "refocus_stack.cu"),
        AssertionError,
    ),
    "divergent shuffle": (
        ("refocus_stack.cu", "sum[p][r] += w[j] * __shfl", "if (lane) sum[p][r] += w[j] * __shfl", "refocus_stack.cu"),
        KernelError,
    ),
    "more shared memory than asked for": (
        ("refocus_stack.cu", "MaxDynamicSharedMemorySize, bytes", "MaxDynamicSharedMemorySize, 0", "refocus_stack.cu"),
        KernelError,
    ),
    "clamp of a gathered border": (
        ("refocus_backward.cu", "last = p == size - 1 && !s.zeros", "last = false", "refocus_backward.cu"),
        AssertionError,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_kernels_are_caught(kernels, cache, tmp_path, monkeypatch, name):
    substitution, error = BROKEN[name]
    broken = build_broken(cache, tmp_path, *substitution)
    for library in (kernels, broken):
        monkeypatch.setattr(library, "at_end", True)
        monkeypatch.setattr(library, "misplaced", 0 if name == "misaligned read" else None)
    if name == "stride of 32 bits":
        x, filters = random((1, 1, 2, 8), torch.float32), random((1, 9, 2, 8), torch.float32, seed=1)
        for library in (kernels, broken):
            monkeypatch.setattr(library, "far", (1, 1))
        kernels.dynamic_filter(x, filters, 3, "zeros")
        with pytest.raises(error):
            broken.dynamic_filter(x, filters, 3, "zeros")
    elif substitution[-1].startswith("dynamic_filter"):
        layout = "channels_last" if "rows of filters" in name else "planar"
        arguments = ((1, 6, 13, 144), 5, True, layout, "replicate", torch.float32)
        run_filter(kernels, *arguments)
        with pytest.raises(error):
            run_filter(broken, *arguments)
    else:
        light_field, disparity, aperture = (
            random((1, 3, 3, 2, 6, 7), torch.float32),
            torch.tensor([1.125, -0.5] if substitution[-1] == "refocus_stack.cu" else [1.125]),
            apertures(1, 3, 3),
        )
        run_refocus(kernels, light_field, disparity, aperture, "bilinear", "replicate")
        with pytest.raises(error):
            run_refocus(broken, light_field, disparity, aperture, "bilinear", "replicate")
