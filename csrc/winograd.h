// What `conv3x3` and `residual_block` run by Winograd's transforms: F(4x4, 3x3), float32, stride 1.
#pragma once
#include <optional>
#include <string>

#include "common/checks.h"

namespace lfdeblur {

// How a convolution is computed on the CPU, an argument of the ops: `direct` by oneDNN, `winograd`, or `fast`: by the
// transforms where there are pixels enough for those of the weights to pay. The result of the last two is
// channels-last.
inline constexpr const char *kDirect = "direct", *kWinograd = "winograd", *kFast = "fast";

// Checks the algorithm, and for one that may be Winograd's that the tensors fit it; whether it is for this x.
bool by_winograd(const std::string& algorithm, const char* op, const Tensor& x, const std::optional<Tensor>& x2,
                 int64_t outputs, int64_t stride);

struct WinogradOptions {
  double slope = 1;                                // of LeakyReLU; 1 is no activation
  bool flipped = false;                            // the convolution that is the gradient of the input
  std::optional<Tensor> activated = std::nullopt;  // x is multiplied by the derivative of the LeakyReLU that gave it
  double activated_slope = 1;
};

// leaky_relu(conv(cat([x, x2])) + bias) + residual, channels-last.
Tensor winograd_convolve(const Tensor& x, const std::optional<Tensor>& x2, const Tensor& weight,
                         const std::optional<Tensor>& bias, const std::optional<Tensor>& residual,
                         const WinogradOptions& options);

}  // namespace lfdeblur
