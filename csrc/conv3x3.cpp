// torch glue of `conv3x3`: schema, checks, the CPU's implementation.
#include <torch/csrc/stable/library.h>

#include "convolution.h"
#include "winograd.h"

namespace lfdeblur {
namespace {

Tensor conv3x3_cpu(Tensor x, std::optional<Tensor> x2, Tensor weight, std::optional<Tensor> bias,
                   std::optional<Tensor> residual, int64_t stride, double slope, std::string algorithm) {
  STD_TORCH_CHECK(x.dim() == 4 && weight.dim() == 4, "conv3x3: want x [N, C, H, W] and weight [O, C, 3, 3]");
  STD_TORCH_CHECK(stride == 1 || stride == 2, "conv3x3: stride: want 1 or 2");
  const int64_t outputs = weight.size(0);
  if (x2) check_beside(x2, "conv3x3: x2", {x.size(0), x2->dim() == 4 ? x2->size(1) : 0, x.size(2), x.size(3)}, x);
  check_beside(weight, "conv3x3: weight", {outputs, x.size(1) + (x2 ? x2->size(1) : 0), 3, 3}, x);
  check_beside(bias, "conv3x3: bias", {outputs}, x);
  check_beside(residual, "conv3x3: residual",
               {x.size(0), outputs, (x.size(2) + stride - 1) / stride, (x.size(3) + stride - 1) / stride}, x);
  if (by_winograd(algorithm, "conv3x3", x, x2, outputs, stride))
    return winograd_convolve(x, x2, weight, bias, residual, {slope});
  const bool channels_last = algorithm == kFast || is_channels_last(x);
  return convolution(cat_channels(x, x2), weight, bias, residual, {stride, 1, false, slope, channels_last});
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  // x [N, C, H, W], x2 [N, C2, H, W], weight [O, C + C2, 3, 3], bias [O], residual [N, O, OH, OW], stride 1 or 2,
  // negative_slope 0 to 1 (1: no activation) -> [N, O, OH, OW], OH = ceil(H / stride). algorithm: of the CPU alone,
  // as csrc/winograd.h describes it; other devices take `direct`.
  m.def(
      "conv3x3(Tensor x, Tensor? x2, Tensor weight, Tensor? bias, Tensor? residual, int stride, float negative_slope, "
      "str algorithm='direct') -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) { m.impl("conv3x3", TORCH_BOX(&conv3x3_cpu)); }

}  // namespace lfdeblur
