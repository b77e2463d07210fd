// Input checks shared by the torch glue of all ops. The public Python functions give the same errors earlier and in
// more words; these keep a direct call of torch.ops.lfdeblur.* memory-safe.
#pragma once
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/Exception.h>

#include <string>

namespace lfdeblur {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

inline void check_same_device(const Tensor& a, const char* a_name, const Tensor& b, const char* b_name) {
  STD_TORCH_CHECK(a.device() == b.device(), a_name, ": want the device of ", b_name);
}

inline void check_shape(const Tensor& t, const char* name, std::initializer_list<int64_t> want) {
  bool same = t.dim() == static_cast<int64_t>(want.size());
  int64_t i = 0;
  for (int64_t size : want) {
    same = same && t.size(i) == size;
    ++i;
  }
  std::string text;
  for (int64_t size : want) text += (text.empty() ? "" : ", ") + std::to_string(size);
  STD_TORCH_CHECK(same, name, ": want shape [", text, "]");
}

}  // namespace lfdeblur
