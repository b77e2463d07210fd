// torch glue of `drb_head`: schema, checks, allocation, the CPU's implementation.
#include "cpu/drb_head.h"

#include <torch/csrc/stable/library.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "common/dispatch.h"
#include "common/huge_pages.h"

namespace lfdeblur {
namespace {

using torch::stable::contiguous;
using torch::stable::empty_like;
using torch::stable::new_empty;

constexpr int64_t kBandRows = 16;  // rows whose gradients are summed before others are added

FeatureLayout layout(const Tensor& t) { return {t.size(1), t.stride(0), t.stride(1), t.stride(2), t.stride(3)}; }

struct Inputs {
  Tensor kernel_features, kernel_weight;
  std::optional<Tensor> kernel_bias;
  Tensor residual_features, residual_weight;
  std::optional<Tensor> residual_bias;
  Tensor image;
};

// first_row: of the picture, under the features' first; negative: the features cover the picture.
DrbHeadShape check(const Inputs& in, int64_t k, double slope, std::optional<double> low, std::optional<double> high,
                   int64_t first_row = -1) {
  STD_TORCH_CHECK(in.image.dim() == 4 && in.kernel_features.dim() == 4 && in.residual_features.dim() == 4,
                  "drb_head: want image and features [N, C, H, W]");
  STD_TORCH_CHECK(k % 2 == 1 && k >= 1 && k <= 15, "drb_head: kernel_size: want an odd number from 1 to 15");
  const auto n = in.image.size(0), c = in.image.size(1), w = in.image.size(3);
  const auto h = first_row < 0 ? in.image.size(2) : in.kernel_features.size(2);
  STD_TORCH_CHECK(std::max<int64_t>(0, first_row) + h <= in.image.size(2),
                  "drb_head_rows: first_row: want the features' rows inside the picture");
  check_shape(in.kernel_features, "drb_head: kernel_features", {n, in.kernel_features.size(1), h, w});
  check_shape(in.kernel_weight, "drb_head: kernel_weight", {k * k, in.kernel_features.size(1)});
  check_shape(in.residual_features, "drb_head: residual_features", {n, in.residual_features.size(1), h, w});
  check_shape(in.residual_weight, "drb_head: residual_weight", {c, in.residual_features.size(1)});
  if (in.kernel_bias) check_shape(*in.kernel_bias, "drb_head: kernel_bias", {k * k});
  if (in.residual_bias) check_shape(*in.residual_bias, "drb_head: residual_bias", {c});
  const ScalarType type = in.kernel_features.scalar_type();
  for (const Tensor* t :
       {&in.kernel_weight, &in.residual_features, &in.residual_weight, in.kernel_bias ? &*in.kernel_bias : nullptr,
        in.residual_bias ? &*in.residual_bias : nullptr}) {
    STD_TORCH_CHECK(!t || t->scalar_type() == type, "drb_head: want one dtype of all but the image");
    if (t) check_same_device(*t, "drb_head: weights and features", in.image, "image");
  }
  const ScalarType image_type = in.image.scalar_type();
  STD_TORCH_CHECK(image_type == type || (image_type == ScalarType::Float && type != ScalarType::Double),
                  "drb_head: image: want the dtype of kernel_features, or float32 beside narrower ones");
  return {n,
          c,
          h,
          w,
          static_cast<int>(k),
          layout(in.kernel_features),
          layout(in.residual_features),
          slope,
          low.value_or(-std::numeric_limits<double>::infinity()),
          high.value_or(std::numeric_limits<double>::infinity()),
          in.image.size(2),
          std::max<int64_t>(0, first_row)};
}

// f(feature tag, image tag)
template <class F>
void dispatch(const Inputs& in, const F& f) {
  dispatch_float(in.kernel_features.scalar_type(), "drb_head", [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (in.image.scalar_type() == in.kernel_features.scalar_type()) return f(tag, tag);
    if constexpr (sizeof(T) == 2) return f(tag, TypeTag<float>{});
  });
}

// Weights and biases in the sums' type.
template <class R>
struct Weights {
  std::vector<R> values[4];
  cpu::DrbHeadWeights<R> view;

  template <class T>
  Weights(const Inputs& in, TypeTag<T>) {
    read<T>(values[0], in.kernel_weight, 0);
    read<T>(values[1], in.kernel_bias, in.kernel_weight.size(0));
    read<T>(values[2], in.residual_weight, 0);
    read<T>(values[3], in.residual_bias, in.residual_weight.size(0));
    view = {values[0].data(), values[1].data(), values[2].data(), values[3].data()};
  }

  template <class T>
  static void read(std::vector<R>& to, const std::optional<Tensor>& from, int64_t zeros) {
    to.assign(from ? from->numel() : zeros, R(0));
    if (!from) return;
    const Tensor dense = contiguous(*from);
    for (size_t i = 0; i < to.size(); ++i) to[i] = to_acc(const_data<T>(dense)[i]);
  }
};

int64_t rows_per_task(const DrbHeadShape& s) {
  return 1 + 65536 / std::max<int64_t>(1, s.width * (s.k * s.k + s.channels));
}

Tensor drb_head_rows_cpu(Tensor kernel_features, Tensor kernel_weight, std::optional<Tensor> kernel_bias,
                         Tensor residual_features, Tensor residual_weight, std::optional<Tensor> residual_bias,
                         Tensor image, int64_t first_row, int64_t kernel_size, double slope, std::optional<double> low,
                         std::optional<double> high) {
  const Inputs in{kernel_features, kernel_weight, kernel_bias,      residual_features,
                  residual_weight, residual_bias, contiguous(image)};
  const DrbHeadShape s = check(in, kernel_size, slope, low, high, first_row);
  const Tensor out = new_empty(in.image, {s.n, s.channels, s.height, s.width});
  if (out.numel() == 0) return out;
  dispatch(in, [&](auto tag, auto image_tag) {
    using T = typename decltype(tag)::type;
    using U = typename decltype(image_tag)::type;
    const Weights<acc_t<T>> weights(in, tag);
    torch::stable::parallel_for(0, s.n * s.height, rows_per_task(s), [&](int64_t begin, int64_t end) {
      cpu::drb_head(const_data<T>(in.kernel_features), const_data<T>(in.residual_features), const_data<U>(in.image),
                    weights.view, mutable_data<U>(out), s, begin, end);
    });
  });
  return out;
}

Tensor drb_head_cpu(Tensor kernel_features, Tensor kernel_weight, std::optional<Tensor> kernel_bias,
                    Tensor residual_features, Tensor residual_weight, std::optional<Tensor> residual_bias, Tensor image,
                    int64_t kernel_size, double slope, std::optional<double> low, std::optional<double> high) {
  return drb_head_rows_cpu(kernel_features, kernel_weight, kernel_bias, residual_features, residual_weight,
                           residual_bias, image, -1, kernel_size, slope, low, high);
}

Tensor channels_last_like(const Tensor& x) {
  const Tensor rows = new_empty(x, {x.size(0), x.size(2), x.size(3), x.size(1)});
  return torch::stable::transpose(torch::stable::transpose(rows, 1, 3), 2, 3);
}

// Parts of the bands, one after another for each, and their sums in the bands' order.
template <class R>
struct Bands {
  int64_t per_picture, count, sizes[5], size = 0;
  std::vector<R> data;

  Bands(const DrbHeadShape& s, bool kernel, bool residual, bool image) {
    per_picture = (s.height + kBandRows - 1) / kBandRows;
    count = s.n * per_picture;
    const int64_t taps = s.k * s.k;
    sizes[0] = kernel ? taps * s.kernel.channels : 0;
    sizes[1] = kernel ? taps : 0;
    sizes[2] = residual ? s.channels * s.residual.channels : 0;
    sizes[3] = residual ? s.channels : 0;
    sizes[4] = image ? (kBandRows + s.k - 1) * s.channels * (s.width + s.k - 1) : 0;
    for (int64_t part : sizes) size += part;
    data.assign(count * size, R(0));
  }

  R* part(int64_t band, int which) {
    R* at = data.data() + band * size;
    for (int i = 0; i < which; ++i) at += sizes[i];
    return at;
  }

  cpu::DrbHeadBand<R> view(int64_t band) {
    return {part(band, 0), part(band, 1), part(band, 2), part(band, 3), part(band, 4)};
  }

  template <class T>
  Tensor total(int which, const Tensor& like, std::initializer_list<int64_t> shape) {
    const Tensor out = new_empty(like, shape);
    for (int64_t i = 0; i < sizes[which]; ++i) {
      R sum = R(0);
      for (int64_t band = 0; band < count; ++band) sum += part(band, which)[i];
      mutable_data<T>(out)[i] = from_acc<T>(sum);
    }
    return out;
  }

  // A row of the picture's gradient: the shares of the bands that reach it, the border's part on the edge pixels.
  template <class U>
  void image_row(const DrbHeadShape& s, int64_t n, int64_t channel, int64_t y, U* to) {
    const int radius = s.k / 2;
    const int64_t stride = s.width + s.k - 1;
    std::vector<R> sums(stride, R(0));
    const int64_t first = y == 0 ? -radius : y, last = y == s.height - 1 ? y + radius : y;
    for (int64_t p = first; p <= last; ++p) {
      const int64_t from = std::max<int64_t>(0, p - radius) / kBandRows;
      const int64_t until = std::min(s.height - 1, p + radius) / kBandRows;
      for (int64_t band = from; band <= until; ++band) {
        const int64_t row = p - band * kBandRows + radius;
        const R* share = part(n * per_picture + band, 4) + (row * s.channels + channel) * stride;
        for (int64_t x = 0; x < stride; ++x) sums[x] += share[x];
      }
    }
    for (int i = 0; i < radius; ++i) {
      sums[radius] += sums[i];
      sums[radius + s.width - 1] += sums[radius + s.width + i];
    }
    for (int64_t x = 0; x < s.width; ++x) to[x] = from_acc<U>(sums[radius + x]);
  }
};

using SevenTensors = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

SevenTensors drb_head_backward_cpu(Tensor grad_, Tensor kernel_features, Tensor kernel_weight,
                                   std::optional<Tensor> kernel_bias, Tensor residual_features, Tensor residual_weight,
                                   std::optional<Tensor> residual_bias, Tensor image, int64_t kernel_size, double slope,
                                   std::optional<double> low, std::optional<double> high, bool need_kernel,
                                   bool need_residual, bool need_image) {
  const Inputs in{kernel_features, kernel_weight, kernel_bias,      residual_features,
                  residual_weight, residual_bias, contiguous(image)};
  const DrbHeadShape s = check(in, kernel_size, slope, low, high);
  check_shape(grad_, "drb_head: grad", {s.n, s.channels, s.height, s.width});
  STD_TORCH_CHECK(grad_.scalar_type() == image.scalar_type(), "drb_head: grad: want the dtype of image");
  const Tensor grad = contiguous(grad_);
  std::vector<Tensor> grads;
  for (int i = 0; i < 6; ++i) grads.push_back(new_empty(kernel_features, {0}));
  if (need_kernel) grads[0] = channels_last_like(kernel_features);
  if (need_residual) grads[3] = channels_last_like(residual_features);
  const Tensor grad_image = need_image ? empty_like(in.image) : new_empty(in.image, {0});
  dispatch(in, [&](auto tag, auto image_tag) {
    using T = typename decltype(tag)::type;
    using U = typename decltype(image_tag)::type;
    using R = acc_t<T>;
    const Weights<R> weights(in, tag);
    Bands<R> bands(s, need_kernel, need_residual, need_image);
    cpu::DrbHeadGrads<T> to{need_kernel ? mutable_data<T>(grads[0]) : nullptr,
                            need_residual ? mutable_data<T>(grads[3]) : nullptr, need_image};
    for (int i : {0, 3})
      if (grads[i].numel() > 0) advise_huge_pages(mutable_data<T>(grads[i]), grads[i].numel() * sizeof(T));
    const bool empty = s.n * s.height * s.width == 0;
    torch::stable::parallel_for(0, empty ? 0 : bands.count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t band = begin; band < end; ++band) {
        const int64_t n = band / bands.per_picture, y = band % bands.per_picture * kBandRows;
        cpu::drb_head_backward(const_data<U>(grad), const_data<T>(in.kernel_features),
                               const_data<T>(in.residual_features), const_data<U>(in.image), weights.view, to,
                               bands.view(band), s, n, y, std::min(y + kBandRows, s.height));
      }
    });
    if (need_kernel) {
      grads[1] = bands.template total<T>(0, in.kernel_weight, {s.k * s.k, s.kernel.channels});
      grads[2] = bands.template total<T>(1, in.kernel_weight, {s.k * s.k});
    }
    if (need_residual) {
      grads[4] = bands.template total<T>(2, in.residual_weight, {s.channels, s.residual.channels});
      grads[5] = bands.template total<T>(3, in.residual_weight, {s.channels});
    }
    if (need_image && !empty) {
      torch::stable::parallel_for(0, s.n * s.channels * s.height, 16, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const int64_t plane = row / s.height;
          bands.image_row(s, plane / s.channels, plane % s.channels, row % s.height,
                          mutable_data<U>(grad_image) + row * s.width);
        }
      });
    }
  });
  return {grads[0], grads[1], grads[2], grads[3], grads[4], grads[5], grad_image};
}

}  // namespace

// kernel_features [N, F, H, W], kernel_weight [k*k, F], kernel_bias [k*k], residual_features [N, R, H, W],
// residual_weight [C, R], residual_bias [C], image [N, C, H, W]
#define LFD_HEAD_TENSORS                                                                          \
  "Tensor kernel_features, Tensor kernel_weight, Tensor? kernel_bias, Tensor residual_features, " \
  "Tensor residual_weight, Tensor? residual_bias, Tensor image, "
// kernel_size odd, negative_slope 0 to 1, low and high (none: no bound)
#define LFD_HEAD_OPTIONS "int kernel_size, float negative_slope, float? low, float? high"

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  // -> [N, C, H, W], contiguous, dtype of image: that of the features, or float32
  m.def("drb_head(" LFD_HEAD_TENSORS LFD_HEAD_OPTIONS ") -> Tensor");
  // The same for features [N, F, R, W] that lie on the rows from first_row on of the image -> [N, C, R, W]
  m.def("drb_head_rows(" LFD_HEAD_TENSORS "int first_row, " LFD_HEAD_OPTIONS ") -> Tensor");
  // grad [N, C, H, W] -> gradients of the seven tensors, in their shapes and dtypes (those of the features
  // channels-last, of the image contiguous; of an absent bias as if it were there). Those of a group that is not needed
  // are empty, (0,).
  m.def("drb_head_backward(Tensor grad, " LFD_HEAD_TENSORS LFD_HEAD_OPTIONS
        ", bool need_kernel, bool need_residual, bool need_image) "
        "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) {
  m.impl("drb_head", TORCH_BOX(&drb_head_cpu));
  m.impl("drb_head_rows", TORCH_BOX(&drb_head_rows_cpu));
  m.impl("drb_head_backward", TORCH_BOX(&drb_head_backward_cpu));
}

}  // namespace lfdeblur
