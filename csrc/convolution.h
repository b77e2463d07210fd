// Convolutions on the CPU that several ops are made of.
#pragma once
#include <optional>

#include "common/checks.h"

namespace lfdeblur {

struct ConvolutionOptions {
  int64_t stride = 1;
  int64_t pad_rows = 1;  // rows of zeros above and below; columns: always one
  bool transposed = false;
  double slope = 1;  // of LeakyReLU; 1 is no activation
  bool channels_last = false;
};

// Whether what is computed from x on the CPU is channels-last: x is, or is a slice of channels of such a tensor.
inline bool is_channels_last(const Tensor& x) { return x.stride(1) == 1 && !x.is_contiguous(); }

// leaky_relu(conv(x) + bias) + residual by oneDNN's fused primitives, in the layout asked for.
Tensor convolution(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                   const std::optional<Tensor>& residual, const ConvolutionOptions& options);

// cat([x, x2]) along the channels.
Tensor cat_channels(const Tensor& x, const std::optional<Tensor>& x2);

// A tensor beside x: its shape, and the dtype and device of x.
inline void check_beside(const std::optional<Tensor>& t, const char* name, std::initializer_list<int64_t> shape,
                         const Tensor& x) {
  if (!t) return;
  check_shape(*t, name, shape);
  STD_TORCH_CHECK(t->scalar_type() == x.scalar_type(), name, ": want the dtype of x");
  check_same_device(*t, name, x, "x");
}

}  // namespace lfdeblur
