// The one place where a kernel is launched, so that the same .cu files also run on a CPU in the tests.
#pragma once
#if defined(__CUDACC__)
#include <cuda_runtime.h>
#define LFD_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  (kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__), cudaGetLastError())
#elif !__has_include("cuda_on_cpu.h")  // the host side of an ordinary build
#include <cuda_runtime_api.h>
#else
#include "cuda_on_cpu.h"  // tests/kernels/cuda_on_cpu/: defines LFD_LAUNCH and what the kernels use of CUDA
#endif
