// The current CUDA stream of a tensor's device, and what CUDA says went wrong.
#pragma once
#include "common/checks.h"
#include "common/stream_symbol.h"
#include "cuda/launch.h"

namespace lfdeblur {

inline cudaStream_t current_stream(const Tensor& t) {
  STD_TORCH_CHECK(aoti_torch_get_current_cuda_stream != nullptr,
                  "lfdeblur: torch's CUDA library is not there or does not give its stream");
  void* stream = nullptr;
  STD_TORCH_CHECK(aoti_torch_get_current_cuda_stream(t.get_device_index(), &stream) == 0,
                  "lfdeblur: no current CUDA stream");
  return static_cast<cudaStream_t>(stream);
}

inline void check_cuda(cudaError_t error, const char* op) {
  STD_TORCH_CHECK(error == cudaSuccess, op, ": ", cudaGetErrorString(error));
}

}  // namespace lfdeblur
