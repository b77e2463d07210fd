// torch glue of `conv_transpose4x4`: schema and the CPU's implementation.
#include <torch/csrc/stable/library.h>

#include "convolution.h"

namespace lfdeblur {
namespace {

Tensor conv_transpose4x4_cpu(Tensor x, Tensor weight, std::optional<Tensor> bias, std::optional<Tensor> residual,
                             double slope) {
  STD_TORCH_CHECK(x.dim() == 4, "conv_transpose4x4: want x [N, C, H, W]");
  return convolution(x, weight, bias, residual, {2, 1, true, slope, is_channels_last(x)});
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  // x [N, C, H, W], weight [C, O, 4, 4], bias [O], residual [N, O, 2H, 2W], negative_slope 0 to 1 (1: no activation)
  // -> [N, O, 2H, 2W]
  m.def("conv_transpose4x4(Tensor x, Tensor weight, Tensor? bias, Tensor? residual, float negative_slope) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) { m.impl("conv_transpose4x4", TORCH_BOX(&conv_transpose4x4_cpu)); }

}  // namespace lfdeblur
