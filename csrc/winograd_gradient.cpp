// torch glue of `winograd_weight` and `winograd_weight_gradient`: schemas, checks, allocation, the CPU's
// implementation.
#include "cpu/winograd_gradient.h"

#include <torch/csrc/stable/library.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "common/dispatch.h"

namespace lfdeblur {
namespace {

using torch::stable::new_empty;
using torch::stable::parallel_for;

constexpr int64_t kMostParts = 32, kLeastBlock = 64;
constexpr int64_t kSums = 64 * 128;  // inputs times outputs whose sums at the 36 points the second-level cache holds

cpu::WinogradInput<float> input(const Tensor& t, const char* name, const Tensor& grad) {
  STD_TORCH_CHECK(t.dim() == 4 && t.scalar_type() == ScalarType::Float && t.size(1) % 16 == 0, name,
                  ": want [N, C, H, W] float32 with a multiple of 16 channels");
  STD_TORCH_CHECK(t.stride(1) == 1 || t.numel() == 0, name, ": want channels-last");
  check_shape(t, name, {grad.size(0), t.size(1), grad.size(2), grad.size(3)});
  check_same_device(t, name, grad, "grad");
  cpu::WinogradInput<float> in{};
  in.rows = const_data<float>(t);
  in.channels = t.size(1);
  in.sn = t.stride(0), in.sy = t.stride(2), in.sx = t.stride(3);
  return in;
}

Tensor winograd_weight_cpu(Tensor weight, bool flipped) {
  STD_TORCH_CHECK(weight.dim() == 4 && weight.scalar_type() == ScalarType::Float && weight.is_contiguous(),
                  "winograd_weight: weight: want contiguous float32");
  check_shape(weight, "winograd_weight: weight", {weight.size(0), weight.size(1), 3, 3});
  const int64_t outputs = weight.size(flipped ? 1 : 0), inputs = weight.size(flipped ? 0 : 1);
  STD_TORCH_CHECK(outputs % 16 == 0, "winograd_weight: weight: want a multiple of 16 outputs");
  const Tensor packed = new_empty(weight, {36, outputs / 16, inputs, 16});
  const cpu::WinogradWeights call{const_data<float>(weight), outputs, inputs, flipped, mutable_data<float>(packed)};
  parallel_for(0, outputs / 16 * inputs, 64,
               [&](int64_t begin, int64_t end) { cpu::winograd_weight(call, begin, end); });
  return packed;
}

std::tuple<Tensor, Tensor> winograd_weight_gradient_cpu(Tensor grad, std::optional<Tensor> activated, Tensor x,
                                                        std::optional<Tensor> x2, double slope) {
  STD_TORCH_CHECK(grad.dim() == 4, "winograd_weight_gradient: grad: want [N, O, H, W]");
  cpu::WinogradGradientCall call{};
  call.grad = input(grad, "winograd_weight_gradient: grad", grad);
  if (activated) call.activated = input(*activated, "winograd_weight_gradient: activated", grad);
  STD_TORCH_CHECK(!activated || activated->size(1) == grad.size(1),
                  "winograd_weight_gradient: activated: want the channels of grad");
  call.inputs[0] = input(x, "winograd_weight_gradient: x", grad);
  if (x2) call.inputs[1] = input(*x2, "winograd_weight_gradient: x2", grad);
  call.slope = static_cast<float>(slope);
  call.n = grad.size(0), call.height = grad.size(2), call.width = grad.size(3);
  const int64_t channels = call.channels(), outputs = call.outputs();
  // Parts depend on nothing but the sizes: so do the sums' order and the result.
  call.parts = std::clamp<int64_t>(call.tiles() / 128, 1, kMostParts);
  call.block = std::max(kLeastBlock, kSums / std::max<int64_t>(1, channels) / 16 * 16);
  const Tensor weights = new_empty(grad, {call.parts, outputs, channels, 3, 3});
  const Tensor biases = new_empty(grad, {call.parts, outputs});
  call.weight = mutable_data<float>(weights), call.bias = mutable_data<float>(biases);
  parallel_for(0, call.parts * call.blocks(), 1,
               [&](int64_t begin, int64_t end) { cpu::winograd_weight_gradient(call, begin, end); });
  const int64_t part = 0;  // named: of a literal, the array would keep the address after its end
  const torch::headeronly::IntHeaderOnlyArrayRef parts(&part, 1);
  return {torch::stable::sum(weights, parts), torch::stable::sum(biases, parts)};
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  // weight [O, C, 3, 3] at the 36 products of a tile -> [36, O / 16, C, 16] float32; flipped: weights of the
  // convolution from O to C channels that gives the input's gradient.
  m.def("winograd_weight(Tensor weight, bool flipped) -> Tensor");
  // grad and activated [N, O, H, W], x and x2 as those of `winograd_conv3x3`; negative_slope of the activation
  // -> gradients of weight [O, C + C2, 3, 3] and bias [O]
  m.def(
      "winograd_weight_gradient(Tensor grad, Tensor? activated, Tensor x, Tensor? x2, float negative_slope) "
      "-> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) {
  m.impl("winograd_weight", TORCH_BOX(&winograd_weight_cpu));
  m.impl("winograd_weight_gradient", TORCH_BOX(&winograd_weight_gradient_cpu));
}

}  // namespace lfdeblur
