// torch glue of `convolution`, which the CPU's implementations of `conv3x3`, `conv_transpose4x4` and `residual_block`
// and the packed layers of lfdeblur_ops/row_layers.py share: oneDNN's fused primitives where this torch and this
// processor have them for the dtype; else PyTorch's own convolution.
#include "convolution.h"

#include <torch/csrc/stable/library.h>

#include <vector>

#include "common/call.h"
#include "common/dispatch.h"
#include "common/onednn.h"
#include "cpu/epilogue.h"

namespace lfdeblur {
namespace {

using torch::headeronly::MemoryFormat;
using torch::stable::contiguous;

bool is_half(ScalarType type) { return type == ScalarType::Half || type == ScalarType::BFloat16; }

// Whether this processor and this torch have a fused convolution of the dtype.
bool fused(ScalarType type) {
  if (!aoti_torch_cpu_mkldnn__convolution_pointwise || !aoti_torch_cpu_mkldnn__convolution_pointwise_binary ||
      !aoti_torch_cpu_mkldnn__convolution_transpose_pointwise)
    return false;
  if (type == ScalarType::BFloat16) {
    static const bool has = call<bool>("mkldnn::_is_mkldnn_bf16_supported");
    return has;
  }
  if (type == ScalarType::Half) {
    static const bool has = call<bool>("mkldnn::_is_mkldnn_fp16_supported");
    return has;
  }
  return type == ScalarType::Float;
}

// Two equal numbers, of rows and columns.
struct Pair {
  int64_t values[2];
  const int64_t* data() const { return values; }
  torch::headeronly::IntHeaderOnlyArrayRef list() const { return {values, 2}; }
};

Tensor plain(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias, const ConvolutionOptions& o) {
  const Pair stride{o.stride, o.stride}, padding{o.pad_rows, 1}, one{1, 1}, zero{0, 0};
  return call<Tensor>("aten::convolution", x, weight, bias, stride.list(), padding.list(), one.list(), o.transposed,
                      zero.list(), int64_t{1});
}

// With the activation, or the residual where there is one and no activation.
Tensor by_onednn(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                 const std::optional<Tensor>& residual, const ConvolutionOptions& o) {
  const Pair stride{o.stride, o.stride}, padding{o.pad_rows, 1}, one{1, 1}, zero{0, 0};
  AtenTensorHandle bias_handle = bias ? bias->get() : nullptr, out = nullptr;
  AtenTensorHandle* to_bias = bias ? &bias_handle : nullptr;
  const char *activation = o.slope == 1 ? "none" : "leaky_relu", *algorithm = "";
  const double* slope = &o.slope;
  const int64_t slopes = o.slope == 1 ? 0 : 1;
  AOTITorchError error = AOTI_TORCH_SUCCESS;
  if (o.transposed) {
    error = aoti_torch_cpu_mkldnn__convolution_transpose_pointwise(x.get(), weight.get(), to_bias, padding.data(), 2,
                                                                   zero.data(), 2, stride.data(), 2, one.data(), 2, 1,
                                                                   activation, &slope, slopes, &algorithm, &out);
  } else if (residual) {
    error = aoti_torch_cpu_mkldnn__convolution_pointwise_binary(x.get(), residual->get(), weight.get(), to_bias,
                                                                padding.data(), 2, stride.data(), 2, one.data(), 2, 1,
                                                                "add", nullptr, nullptr, nullptr, 0, nullptr, &out);
  } else {
    error =
        aoti_torch_cpu_mkldnn__convolution_pointwise(x.get(), weight.get(), to_bias, padding.data(), 2, stride.data(),
                                                     2, one.data(), 2, 1, activation, &slope, slopes, &algorithm, &out);
  }
  STD_TORCH_CHECK(error == AOTI_TORCH_SUCCESS, "lfdeblur: oneDNN's convolution failed");
  return Tensor(out);
}

// out = leaky_relu(out) + residual, in place; both are dense and lie alike.
void epilogue(const Tensor& out, const std::optional<Tensor>& residual, double slope) {
  dispatch_float(out.scalar_type(), "convolution", [&](auto tag) {
    using T = typename decltype(tag)::type;
    torch::stable::parallel_for(0, out.numel(), 1 << 15, [&](int64_t begin, int64_t end) {
      cpu::epilogue(mutable_data<T>(out), residual ? const_data<T>(*residual) : nullptr, slope, begin, end);
    });
  });
}

std::optional<Tensor> converted(const std::optional<Tensor>& t, ScalarType type) {
  return t ? std::optional<Tensor>(torch::stable::to(*t, type)) : std::nullopt;
}

Tensor convolution_cpu(Tensor x, Tensor weight, std::optional<Tensor> bias, std::optional<Tensor> residual,
                       int64_t stride, int64_t pad_rows, bool transposed, double slope) {
  return convolution(x, weight, bias, residual, {stride, pad_rows, transposed, slope, true});
}

}  // namespace

Tensor convolution(const Tensor& x_, const Tensor& weight_, const std::optional<Tensor>& bias,
                   const std::optional<Tensor>& residual_, const ConvolutionOptions& o) {
  STD_TORCH_CHECK(x_.dim() == 4 && weight_.dim() == 4, "convolution: want x [N, C, H, W] and weight of 4 axes");
  STD_TORCH_CHECK(o.stride == 2 || (o.stride == 1 && !o.transposed), "convolution: stride: want 1 or 2");
  STD_TORCH_CHECK(o.pad_rows == 1 || (o.pad_rows == 0 && !o.transposed), "convolution: pad_rows: want 0 or 1");
  const ScalarType type = x_.scalar_type();
  const int64_t n = x_.size(0), height = x_.size(2), width = x_.size(3), side = o.transposed ? 4 : 3;
  const int64_t outputs = weight_.size(o.transposed ? 1 : 0);
  const int64_t last_row = height + 2 * o.pad_rows - 3;  // that a window may begin on
  const int64_t out_height = o.transposed ? 2 * height : height == 0 || last_row < 0 ? 0 : last_row / o.stride + 1;
  const int64_t out_width = o.transposed ? 2 * width : (width + o.stride - 1) / o.stride;
  if (o.transposed)
    check_beside(weight_, "convolution: weight", {x_.size(1), outputs, side, side}, x_);
  else
    check_beside(weight_, "convolution: weight", {outputs, x_.size(1), side, side}, x_);
  check_beside(bias, "convolution: bias", {outputs}, x_);
  check_beside(residual_, "convolution: residual", {n, outputs, out_height, out_width}, x_);
  if (out_height == 0 || width == 0) return torch::stable::new_empty(x_, {n, outputs, out_height, out_width});
  if (is_half(type) && !fused(type)) {
    // Without such instructions float32 is a hundred times faster than a convolution in the narrow type.
    constexpr ScalarType wide = ScalarType::Float;
    return torch::stable::to(convolution(torch::stable::to(x_, wide), torch::stable::to(weight_, wide),
                                         converted(bias, wide), converted(residual_, wide), o),
                             type);
  }
  const MemoryFormat layout = o.channels_last ? MemoryFormat::ChannelsLast : MemoryFormat::Contiguous;
  if (type == ScalarType::BFloat16 && o.stride == 2 && !o.transposed && width <= 2) {
    // With AMX, oneDNN reads memory that is not the input's where the result is one pixel wide (torch 2.13): two.
    const int64_t more[] = {0, 4 - width};
    const Tensor wider = torch::stable::pad(x_, torch::headeronly::IntHeaderOnlyArrayRef(more, 2));
    Tensor out = convolution(wider, weight_, bias, std::nullopt, o);
    out = torch::stable::narrow(out, 3, 0, 1);
    return contiguous(residual_ ? torch::stable::subtract(out, *residual_, -1.0) : out, layout);
  }
  const Tensor x = contiguous(x_, layout);
  // One that is channels-last would make the result so.
  const Tensor weight = o.channels_last ? weight_ : contiguous(weight_);
  std::optional<Tensor> residual;
  if (residual_) residual = contiguous(*residual_, layout);
  const bool by_torch = x.numel() == 0 || !fused(type);
  const bool adds = !by_torch && residual && o.slope == 1 && !o.transposed;
  // oneDNN takes one channel or pixel for either layout.
  const Tensor out = contiguous(
      by_torch ? plain(x, weight, bias, o) : by_onednn(x, weight, bias, adds ? residual : std::nullopt, o), layout);
  const double slope = by_torch ? o.slope : 1;
  if (slope != 1 || (residual && !adds)) epilogue(out, adds ? std::nullopt : residual, slope);
  return out;
}

Tensor cat_channels(const Tensor& x, const std::optional<Tensor>& x2) {
  if (!x2) return x;
  return call<Tensor>("aten::cat", std::vector<Tensor>{x, *x2}, int64_t{1});
}

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  // x [N, C, H, W], weight [O, C, 3, 3] or transposed [C, O, 4, 4], also as oneDNN lays it out, bias [O], residual of
  // the result's shape, pad_rows 0 or 1 rows of zeros above and below, slope 0 to 1 (1: no activation)
  // -> leaky_relu(conv(x) + bias) + residual, channels-last
  m.def(
      "convolution(Tensor x, Tensor weight, Tensor? bias, Tensor? residual, int stride, int pad_rows, bool transposed, "
      "float negative_slope) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) { m.impl("convolution", TORCH_BOX(&convolution_cpu)); }

// A weight in oneDNN's own layout.
STABLE_TORCH_LIBRARY_IMPL(lfdeblur, MkldnnCPU, m) { m.impl("convolution", TORCH_BOX(&convolution_cpu)); }

}  // namespace lfdeblur
