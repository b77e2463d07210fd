// What the glue of an op is written over: Cpu or Cuda. The op's own struct of that base has its kernels.
#pragma once
#include "common/checks.h"
#if defined(LFD_CUDA)
#include <torch/csrc/stable/accelerator.h>

#include "common/cuda_stream.h"
#endif

namespace lfdeblur {

struct Cpu {
  struct Guard {
    explicit Guard(const Tensor&) {}
  };
};

#if defined(LFD_CUDA)
struct Cuda {
  struct Guard {  // else cuda:1's tensors launch on cuda:0
    torch::stable::accelerator::DeviceGuard guard;
    explicit Guard(const Tensor& t) : guard(t.get_device_index()) {}
  };
};
#endif

}  // namespace lfdeblur
