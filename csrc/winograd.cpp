// torch glue of `winograd_conv3x3`: schema, checks, allocation, the CPU's implementation.
#include "cpu/winograd.h"

#include <torch/csrc/stable/library.h>

#include <algorithm>
#include <optional>

#include "common/dispatch.h"

namespace lfdeblur {
namespace {

using torch::stable::new_empty;

template <class T>
cpu::WinogradInput<T> input(const std::optional<Tensor>& above, const Tensor& x) {
  cpu::WinogradInput<T> in{};
  in.rows = const_data<T>(x);
  in.channels = x.size(1);
  in.sn = x.stride(0), in.sy = x.stride(2), in.sx = x.stride(3);
  if (above) {
    in.above = const_data<T>(*above);
    in.above_sn = above->stride(0), in.above_sy = above->stride(2), in.above_sx = above->stride(3);
  }
  return in;
}

void check_dense(const Tensor& t, const Tensor& x, const char* name) {
  STD_TORCH_CHECK(t.dim() == 4 && t.scalar_type() == x.scalar_type(), name, ": want [N, C, H, W] of the dtype of x");
  STD_TORCH_CHECK(t.size(1) % 8 == 0, name, ": want a multiple of 8 channels");
  STD_TORCH_CHECK(t.stride(1) == 1 || t.numel() == 0, name, ": want channels-last");
  check_same_device(t, name, x, "x");
}

void check_pair(const std::optional<Tensor>& above, const Tensor& part, const Tensor& x, int64_t rows_above) {
  check_dense(part, x, "winograd_conv3x3: x");
  check_shape(part, "winograd_conv3x3: x2", {x.size(0), part.size(1), x.size(2), x.size(3)});
  STD_TORCH_CHECK((above && above->dim() == 4 ? above->size(2) : 0) == rows_above,
                  "winograd_conv3x3: want rows above of both inputs or of none");
  if (!above) return;
  check_dense(*above, x, "winograd_conv3x3: above");
  check_shape(*above, "winograd_conv3x3: above", {x.size(0), part.size(1), rows_above, x.size(3)});
}

Tensor winograd_conv3x3_cpu(std::optional<Tensor> above, Tensor x, std::optional<Tensor> x2_above,
                            std::optional<Tensor> x2, Tensor weight, std::optional<Tensor> bias,
                            std::optional<Tensor> residual_above, std::optional<Tensor> residual, int64_t pad_top,
                            int64_t pad_bottom, double slope, std::optional<Tensor> activated, double activated_slope) {
  check_dense(x, x, "winograd_conv3x3: x");
  if (above) check_dense(*above, x, "winograd_conv3x3: above");
  const int64_t rows_above = above ? above->size(2) : 0;
  check_pair(above, x, x, rows_above);
  if (x2) check_pair(x2_above, *x2, x, rows_above);
  STD_TORCH_CHECK(x2 || !x2_above, "winograd_conv3x3: x2_above: want none without x2");
  STD_TORCH_CHECK(pad_top >= 0 && pad_top <= 1 && pad_bottom >= 0 && pad_bottom <= 1,
                  "winograd_conv3x3: pad_top, pad_bottom: want 0 or 1");
  const int64_t channels = x.size(1) + (x2 ? x2->size(1) : 0), rows = rows_above + x.size(2);
  const int64_t n = x.size(0), height = std::max<int64_t>(0, rows - 2 + pad_top + pad_bottom), width = x.size(3);
  STD_TORCH_CHECK(weight.dim() == 4, "winograd_conv3x3: weight: want shape [36, O / 16, C, 16]");
  const int64_t outputs = 16 * weight.size(1);
  check_shape(weight, "winograd_conv3x3: weight", {36, outputs / 16, channels, 16});
  STD_TORCH_CHECK(weight.scalar_type() == ScalarType::Float && weight.is_contiguous(),
                  "winograd_conv3x3: weight: want contiguous float32");
  check_same_device(weight, "winograd_conv3x3: weight", x, "x");
  if (bias) {
    check_shape(*bias, "winograd_conv3x3: bias", {outputs});
    STD_TORCH_CHECK(bias->scalar_type() == ScalarType::Float && bias->is_contiguous(),
                    "winograd_conv3x3: bias: want contiguous float32");
    check_same_device(*bias, "winograd_conv3x3: bias", x, "x");
  }
  if (residual_above) check_dense(*residual_above, x, "winograd_conv3x3: residual_above");
  const int64_t residual_rows_above = residual_above ? residual_above->size(2) : 0;
  STD_TORCH_CHECK(residual || !residual_above, "winograd_conv3x3: residual_above: want none without residual");
  if (residual) {
    check_dense(*residual, x, "winograd_conv3x3: residual");
    check_shape(*residual, "winograd_conv3x3: residual", {n, outputs, height - residual_rows_above, width});
    if (residual_above) {
      check_shape(*residual_above, "winograd_conv3x3: residual_above", {n, outputs, residual_rows_above, width});
    }
  }
  if (activated) {
    STD_TORCH_CHECK(!above, "winograd_conv3x3: activated: want none with rows above");
    check_dense(*activated, x, "winograd_conv3x3: activated");
    check_shape(*activated, "winograd_conv3x3: activated", {x.size(0), x.size(1), x.size(2), x.size(3)});
  }
  const Tensor out = new_empty(x, {n, height, width, outputs});
  if (out.numel() > 0) {
    dispatch_float(x.scalar_type(), "winograd_conv3x3", [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (sizeof(T) == 8) {
        STD_TORCH_CHECK(false, "winograd_conv3x3: want float32, float16 or bfloat16");
      } else {
        cpu::WinogradCall<T> call{};
        call.inputs[0] = input<T>(above, x);
        if (x2) call.inputs[1] = input<T>(x2_above, *x2);
        call.rows_above = rows_above, call.rows = rows;
        call.n = n, call.height = height, call.width = width, call.outputs = outputs, call.pad_top = pad_top;
        call.weight = const_data<float>(weight);
        call.bias = bias ? const_data<float>(*bias) : nullptr;
        if (residual) {
          call.residual = input<T>(residual_above, *residual);
          call.residual_rows_above = residual_rows_above;
        }
        call.slope = static_cast<float>(slope);
        if (activated) call.activated = input<T>(std::nullopt, *activated);
        call.activated_slope = static_cast<float>(activated_slope);
        call.out = mutable_data<T>(out);
        const cpu::WinogradRuns runs = cpu::winograd_runs(n, height, width, channels);
        torch::stable::parallel_for(0, runs.rows * runs.count, 1,
                                    [&](int64_t begin, int64_t end) { cpu::winograd_conv3x3(call, begin, end); });
      }
    });
  }
  return torch::stable::transpose(torch::stable::transpose(out, 1, 3), 2, 3);  // [N, O, H, W], channels-last
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  // x [N, C, H, W] and x2 [N, C2, H, W], channels dense, with rows above them [N, C or C2, A, W]; weight that of
  // `winograd_weight`; bias [O] float32; residual [N, O, R, W] with rows above; pad_top, pad_bottom: 0 or 1 rows of
  // zeros; negative_slope 0 to 1 -> [N, O, A + H - 2 + pad_top + pad_bottom, W], channels-last. activated: as x, output
  // of a LeakyReLU whose derivative x is multiplied by.
  m.def(
      "winograd_conv3x3(Tensor? above, Tensor x, Tensor? x2_above, Tensor? x2, Tensor weight, Tensor? bias, "
      "Tensor? residual_above, Tensor? residual, int pad_top, int pad_bottom, float negative_slope, "
      "Tensor? activated=None, float activated_slope=1.0) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) { m.impl("winograd_conv3x3", TORCH_BOX(&winograd_conv3x3_cpu)); }

}  // namespace lfdeblur
