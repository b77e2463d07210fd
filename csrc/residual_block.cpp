// torch glue of `residual_block`: schema, checks, the CPU's implementation.
#include <torch/csrc/stable/library.h>

#include "convolution.h"
#include "winograd.h"

namespace lfdeblur {
namespace {

Tensor residual_block_cpu(Tensor x, Tensor weight1, std::optional<Tensor> bias1, Tensor weight2,
                          std::optional<Tensor> bias2, double slope, std::string algorithm) {
  STD_TORCH_CHECK(x.dim() == 4, "residual_block: want x [N, C, H, W]");
  const int64_t channels = x.size(1);
  check_beside(weight1, "residual_block: weight1", {channels, channels, 3, 3}, x);
  check_beside(weight2, "residual_block: weight2", {channels, channels, 3, 3}, x);
  check_beside(bias1, "residual_block: bias1", {channels}, x);
  check_beside(bias2, "residual_block: bias2", {channels}, x);
  if (by_winograd(algorithm, "residual_block", x, std::nullopt, channels, 1)) {
    const Tensor hidden = winograd_convolve(x, std::nullopt, weight1, bias1, std::nullopt, {slope});
    return winograd_convolve(hidden, std::nullopt, weight2, bias2, x, {});
  }
  const bool channels_last = algorithm == kFast || is_channels_last(x);
  const Tensor hidden = convolution(x, weight1, bias1, std::nullopt, {1, 1, false, slope, channels_last});
  return convolution(hidden, weight2, bias2, x, {1, 1, false, 1, channels_last});
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  // x [N, C, H, W], weight1 and weight2 [C, C, 3, 3], bias1 and bias2 [C], negative_slope 0 to 1
  // -> [N, C, H, W]; algorithm: as for `conv3x3`
  m.def(
      "residual_block(Tensor x, Tensor weight1, Tensor? bias1, Tensor weight2, Tensor? bias2, float negative_slope, "
      "str algorithm='direct') -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) { m.impl("residual_block", TORCH_BOX(&residual_block_cpu)); }

}  // namespace lfdeblur
