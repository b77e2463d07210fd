// What the ops do by Winograd's transforms, and `winograd_backward`, the gradients of what they did: on the ops
// of winograd.cpp and winograd_gradient.cpp.
#include <torch/csrc/stable/library.h>

#include <tuple>

#include "common/call.h"
#include "common/dispatch.h"
#include "convolution.h"
#include "winograd.h"

namespace lfdeblur {
namespace {

using torch::headeronly::MemoryFormat;
using torch::stable::contiguous;
using torch::stable::new_empty;
using Gradients = std::tuple<Tensor, Tensor, Tensor>;

constexpr int64_t kLeastPixels = 2048;  // of all pictures together, for the transforms of the weights to pay
constexpr int64_t kMultiple = 16;       // of channels, in and out

std::optional<Tensor> channels_inside(const std::optional<Tensor>& x) {
  return !x || x->stride(1) == 1 ? x : contiguous(*x, MemoryFormat::ChannelsLast);
}

// grad times the derivative of the LeakyReLU that gave `activated`.
Tensor before_activation(const Tensor& grad_, const std::optional<Tensor>& activated_, double slope) {
  const Tensor grad = contiguous(grad_, MemoryFormat::ChannelsLast);
  if (!activated_ || slope == 1) return grad;
  const Tensor activated = contiguous(*activated_, MemoryFormat::ChannelsLast);
  const Tensor out = torch::stable::empty_like(grad);
  const float *from_grad = const_data<float>(grad), *sign = const_data<float>(activated);
  float* const to = mutable_data<float>(out);
  const float factor = static_cast<float>(slope);
  for (int64_t i = 0; i < grad.numel(); ++i) to[i] = sign[i] > 0 ? from_grad[i] : from_grad[i] * factor;
  return out;
}

// The gradients of few pixels, by PyTorch's convolution.
Gradients direct_backward(const Tensor& grad_, const std::optional<Tensor>& activated, const Tensor& x,
                          const std::optional<Tensor>& x2, const Tensor& weight, const std::optional<Tensor>& added,
                          double slope, bool need_x, bool need_weight) {
  const Tensor grad = before_activation(grad_, activated, slope);
  const int64_t outputs[] = {weight.size(0)}, one[] = {1, 1}, zero[] = {0, 0};
  const bool mask[] = {need_x, need_weight, need_weight};
  const torch::headeronly::IntHeaderOnlyArrayRef ones(one, 2), zeros(zero, 2), sizes(outputs, 1);
  auto grads =
      call<Gradients>("aten::convolution_backward", grad, cat_channels(x, x2), contiguous(weight), std::optional(sizes),
                      ones, ones, ones, false, zeros, int64_t{1}, torch::headeronly::HeaderOnlyArrayRef<bool>(mask, 3));
  auto& [grad_x, grad_weight, grad_bias] = grads;
  if (need_x) {
    if (added) grad_x = torch::stable::subtract(grad_x, *added, -1.0);
    grad_x = contiguous(grad_x, MemoryFormat::ChannelsLast);
  } else {
    grad_x = new_empty(x, {0});
  }
  grad_weight = need_weight ? contiguous(grad_weight) : new_empty(x, {0});
  if (!need_weight) grad_bias = new_empty(x, {0});
  return grads;
}

Gradients winograd_backward_cpu(Tensor grad_, std::optional<Tensor> activated_, Tensor x_, std::optional<Tensor> x2_,
                                Tensor weight, std::optional<Tensor> added, double slope, bool need_x, bool need_weight,
                                std::string algorithm) {
  STD_TORCH_CHECK(grad_.dim() == 4 && x_.dim() == 4, "winograd_backward: want grad and x [N, C, H, W]");
  const int64_t inputs = x_.size(1) + (x2_ ? x2_->size(1) : 0), outputs = grad_.size(1);
  const int64_t n = x_.size(0), height = x_.size(2), width = x_.size(3);
  check_beside(grad_, "winograd_backward: grad", {n, outputs, height, width}, x_);
  check_beside(activated_, "winograd_backward: activated", {n, outputs, height, width}, x_);
  if (x2_) check_beside(x2_, "winograd_backward: x2", {n, x2_->size(1), height, width}, x_);
  check_beside(weight, "winograd_backward: weight", {outputs, inputs, 3, 3}, x_);
  check_beside(added, "winograd_backward: added", {n, inputs, height, width}, x_);
  STD_TORCH_CHECK(algorithm != kDirect, "winograd_backward: algorithm: want 'winograd' or 'fast'");
  if (!by_winograd(algorithm, "winograd_backward", x_, x2_, outputs, 1))
    return direct_backward(grad_, activated_, x_, x2_, weight, added, slope, need_x, need_weight);
  const Tensor grad = *channels_inside(grad_), x = *channels_inside(x_);
  const std::optional<Tensor> activated = channels_inside(activated_), x2 = channels_inside(x2_);
  Tensor grad_x = need_x
                      ? winograd_convolve(grad, std::nullopt, weight, std::nullopt, added, {1, true, activated, slope})
                      : new_empty(x, {0});
  if (!need_weight) return {grad_x, new_empty(x, {0}), new_empty(x, {0})};
  const auto [grad_weight, grad_bias] =
      call<std::tuple<Tensor, Tensor>>("lfdeblur::winograd_weight_gradient", grad, activated, x, x2, slope);
  return {grad_x, grad_weight, grad_bias};
}

}  // namespace

bool by_winograd(const std::string& algorithm, const char* op, const Tensor& x, const std::optional<Tensor>& x2,
                 int64_t outputs, int64_t stride) {
  if (algorithm == kDirect) return false;
  STD_TORCH_CHECK(algorithm == kWinograd || algorithm == kFast, op,
                  ": algorithm: want 'direct', 'winograd' or 'fast', got '", algorithm, "'");
  STD_TORCH_CHECK(x.scalar_type() == ScalarType::Float, op, ": winograd: want float32");
  STD_TORCH_CHECK(stride == 1, op, ": winograd: no kernel for stride ", stride);
  STD_TORCH_CHECK(x.size(1) % kMultiple == 0 && (!x2 || x2->size(1) % kMultiple == 0) && outputs % kMultiple == 0, op,
                  ": winograd: want multiples of 16 channels");
  const int64_t pixels = x.size(0) * x.size(2) * x.size(3);
  return algorithm == kWinograd || pixels >= kLeastPixels || pixels == 0;  // PyTorch's convolutions refuse no pixels
}

Tensor winograd_convolve(const Tensor& x, const std::optional<Tensor>& x2, const Tensor& weight,
                         const std::optional<Tensor>& bias, const std::optional<Tensor>& residual,
                         const WinogradOptions& options) {
  const Tensor packed = call<Tensor>("lfdeblur::winograd_weight", contiguous(weight), options.flipped);
  const std::optional<Tensor> none;
  const std::optional<Tensor> dense_bias = bias ? std::optional(contiguous(*bias)) : none;
  const Tensor out = call<Tensor>("lfdeblur::winograd_conv3x3", none, *channels_inside(x), none, channels_inside(x2),
                                  packed, dense_bias, none, channels_inside(residual), int64_t{1}, int64_t{1},
                                  options.slope, channels_inside(options.activated), options.activated_slope);
  return contiguous(out, MemoryFormat::ChannelsLast);  // one channel or pixel lies like any other
}

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  // Of `conv3x3` by winograd or fast, activated its result -> gradients of cat([x, x2]) (plus `added`, of its shape),
  // weight and bias; empty ones that are not needed.
  m.def(
      "winograd_backward(Tensor grad, Tensor? activated, Tensor x, Tensor? x2, Tensor weight, Tensor? added, "
      "float negative_slope, bool need_x, bool need_weight, str algorithm='winograd') -> (Tensor, Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) { m.impl("winograd_backward", TORCH_BOX(&winograd_backward_cpu)); }

}  // namespace lfdeblur
