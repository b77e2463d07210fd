// The loops of the CPU `drb_head_backward`.
//
// Block by block as the forward pass: the filters are predicted once more and used where they are.
#include <algorithm>
#include <limits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/drb_head.h"
#include "lfdeblur/dynamic_filter.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/drb_head_blocks.h"

// rows[x][c] = features of `count` pixels, rows of `stride`; the rest of the kBlock rows is zero.
template <class T>
void read_rows(const T* from, const FeatureLayout& f, int64_t count, acc_t<T>* rows, int64_t stride) {
  constexpr int L = kLanes<acc_t<T>>;
  for (int64_t x = 0; x < count; ++x) {
    int64_t c = 0;
    if (f.sc == 1)
      for (; c + L <= f.channels; c += L) store(rows + x * stride + c, load(from + x * f.sx + c));
    for (; c < f.channels; ++c) rows[x * stride + c] = to_acc(from[x * f.sx + c * f.sc]);
  }
  std::fill(rows + count * stride, rows + kBlock * stride, acc_t<T>(0));
}

// Gradients of one 1x1 convolution on one block: of its features, [count, channels] dense at `to`, its weight and bias.
// grad: [outputs][kBlock] in rows of `stride`, zero beyond `count`.
template <class R>
struct PointwiseBackward {
  int64_t outputs, channels, padded;
  Buffer<R> weight, weight_grad, rows, result;

  PointwiseBackward(int64_t outputs_, int64_t channels_, const R* from)
      : outputs(outputs_), channels(channels_), padded(round_up<R>(channels_)) {
    weight.assign(outputs * padded, R(0));
    weight_grad.assign(outputs * padded, R(0));
    rows.assign(kBlock * padded, R(0));
    result.resize(kBlock * padded);
    for (int64_t m = 0; m < outputs; ++m) std::copy_n(from + m * channels, channels, weight.data() + m * padded);
  }

  template <class T>
  void run(const T* features, const FeatureLayout& f, int64_t count, const R* grad, int64_t stride, T* to,
           R* bias_grad) {
    for (int64_t m = 0; m < outputs; ++m)
      for (int64_t x = 0; x < count; ++x) bias_grad[m] += grad[m * stride + x];
    read_rows(features, f, count, rows.data(), padded);
    gemm(outputs, padded, count, grad, stride, 1, rows.data(), padded, weight_grad.data(), padded);
    std::fill_n(result.data(), count * padded, R(0));
    gemm(count, padded, outputs, grad, 1, stride, weight.data(), padded, result.data(), padded);
    for (int64_t x = 0; x < count; ++x) {
      int64_t c = 0;
      for (; c + kLanes<R> <= channels; c += kLanes<R>)
        store(to + x * channels + c, load(result.data() + x * padded + c));
      for (; c < channels; ++c) to[x * channels + c] = from_acc<T>(result[x * padded + c]);
    }
  }

  void finish(R* to) const {
    for (int64_t m = 0; m < outputs; ++m) std::copy_n(weight_grad.data() + m * padded, channels, to + m * channels);
  }
};

// to[q] += sum_j filters_j[q - j] * grad[q - j], 0 <= q < kBlock + k - 1: a block's share in one row of the padded
// picture. Both hold k - 1 or more zeros on either side.
template <class R>
void add_transposed(const R* filters, int64_t stride, const R* grad, int k, int64_t count, R* to) {
  constexpr int L = kLanes<R>;
  for (int64_t q = 0; q < count + k - 1; q += L) {
    Vec<R> sum = {};
    for (int j = 0; j < k; ++j) sum += load(filters + j * stride + q - j) * load(grad + q - j);
    const int64_t left = count + k - 1 - q;
    for (int64_t i = 0; i < std::min<int64_t>(L, left); ++i) to[q + i] += sum[i];
  }
}

// What follows knows the sum's type alone, so that it is compiled twice and not for each pair of element types. g: a
// block's gradient, rows of `stride`; zero where the output was clipped.
template <class R>
void clip_gradient(const Picture<R>& picture, const R* sums, const R* before, const DrbHeadShape& s, int64_t x,
                   int64_t count, R* g, int64_t stride) {
  const int radius = s.k / 2;
  for (int64_t c = 0; c < s.channels; ++c) {
    R* to = g + c * stride;
    const R* centre = picture.at(c, radius) + radius + x;
    for (int64_t p = 0; p < count; p += kLanes<R>) {
      Vec<R> v = load(centre + p) + load(sums + c * kBlock + p);
      v += leaky<R>(load(before + c * kBlock + p), R(s.slope));
      const auto outside = (v < R(s.low) - Vec<R>{}) | (v > R(s.high) - Vec<R>{});
      store(to + p, outside ? Vec<R>{} : load(to + p));
    }
  }
}

// to[t][p] = gradient of filter tap t; rows of kBlock.
template <class R>
void tap_gradients(const Picture<R>& picture, const R* g, int64_t stride, const DrbHeadShape& s, int64_t x,
                   int64_t count, R* to) {
  for (int64_t t = 0; t < int64_t{s.k} * s.k; ++t)
    for (int64_t p = 0; p < round_up<R>(count); p += kLanes<R>) {
      Vec<R> sum = {};
      for (int64_t c = 0; c < s.channels; ++c)
        sum += load(g + c * stride + p) * load(picture.at(c, static_cast<int>(t / s.k)) + x + p + t % s.k);
      store(to + t * kBlock + p, sum);
    }
}

// `rows`: of DrbHeadBand::image, at the block's first pixel.
template <class R>
void add_image_gradient(const R* filters, const R* g, int64_t stride, const DrbHeadShape& s, int64_t count, R* rows) {
  const int64_t image_stride = s.width + s.k - 1;
  const int radius = s.k / 2;
  for (int64_t c = 0; c < s.channels; ++c, rows += image_stride) {
    for (int i = 0; i < s.k; ++i)
      add_transposed(filters + i * s.k * stride, stride, g + c * stride, s.k, count,
                     rows + i * s.channels * image_stride);
    R* centre = rows + radius * s.channels * image_stride + radius;
    for (int64_t i = 0; i < count; ++i) centre[i] += g[c * stride + i];
  }
}

template <class T, class U>
void drb_head_backward(const U* grad, const T* kernel_features, const T* residual_features, const U* image,
                       const DrbHeadWeights<acc_t<T>>& w, const DrbHeadGrads<T>& grads,
                       const DrbHeadBand<acc_t<T>>& band, const DrbHeadShape& s, int64_t n, int64_t begin,
                       int64_t end) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  constexpr int64_t margin = 16, stride = margin + kBlock + margin;  // k - 1 <= 14 zeros on either side of a block
  const int64_t taps = int64_t(s.k) * s.k;
  const R infinity = std::numeric_limits<R>::infinity();
  const bool clipped = s.low != -infinity || s.high != infinity;
  Buffer<R> planar(std::max(s.kernel.channels, s.residual.channels) * kBlock);
  Buffer<R> filters_(taps * stride, R(0)), grads_(s.channels * stride, R(0)), before(s.channels * kBlock);
  Buffer<R> sums(s.channels * kBlock);
  Buffer<R> tap_grads(std::max<int64_t>(taps, s.channels) * kBlock);
  R *filters = filters_.data() + margin, *g = grads_.data() + margin;
  PointwiseBackward<R> kernel(taps, s.kernel.channels, w.kernel);
  PointwiseBackward<R> residual(s.channels, s.residual.channels, w.residual);
  Picture<R> picture(s);
  const int64_t image_stride = s.width + s.k - 1;
  for (int64_t y = begin; y < end; ++y) {
    picture.move_to(image, n, y);
    for (int64_t x = 0; x < s.width; x += kBlock) {
      const int64_t count = std::min(kBlock, s.width - x), pixel = (n * s.height + y) * s.width + x;
      const auto at = [&](const FeatureLayout& f) { return n * f.sn + y * f.sy + x * f.sx; };
      if (clipped || grads.image) {
        read_planar(kernel_features + at(s.kernel), s.kernel, count, planar.data());
        predict(taps, s.kernel.channels, count, w.kernel, w.kernel_bias, planar.data(), filters, stride);
      }
      if (clipped || grads.residual_features) {
        read_planar(residual_features + at(s.residual), s.residual, count, planar.data());
        predict(s.channels, s.residual.channels, count, w.residual, w.residual_bias, planar.data(), before.data(),
                kBlock);
      }
      if (clipped) picture.filter(filters, stride, x, count, sums.data());
      for (int64_t c = 0; c < s.channels; ++c) {
        const U* from = grad + ((n * s.channels + c) * s.height + y) * s.width + x;
        R* to = g + c * stride;
        for (int64_t i = 0; i < count; ++i) to[i] = to_acc(from[i]);
        for (int64_t i = count; i < kBlock; ++i) to[i] = R(0);
      }
      if (clipped) clip_gradient(picture, sums.data(), before.data(), s, x, count, g, stride);
      if (grads.residual_features) {
        for (int64_t c = 0; c < s.channels; ++c)
          for (int64_t p = 0; p < kBlock; p += L) {
            const Vec<R> v = load(g + c * stride + p);
            store(tap_grads.data() + c * kBlock + p,
                  load(before.data() + c * kBlock + p) > Vec<R>{} ? v : v * R(s.slope));
          }
        residual.run(residual_features + at(s.residual), s.residual, count, tap_grads.data(), kBlock,
                     grads.residual_features + pixel * s.residual.channels, band.residual_bias);
      }
      if (grads.kernel_features) {
        tap_gradients(picture, g, stride, s, x, count, tap_grads.data());
        kernel.run(kernel_features + at(s.kernel), s.kernel, count, tap_grads.data(), kBlock,
                   grads.kernel_features + pixel * s.kernel.channels, band.kernel_bias);
      }
      if (grads.image) {
        add_image_gradient(filters, g, stride, s, count, band.image + (y - begin) * s.channels * image_stride + x);
      }
    }
  }
  if (grads.residual_features) residual.finish(band.residual_weight);
  if (grads.kernel_features) kernel.finish(band.kernel_weight);
}

#define INSTANTIATE(T, U)                                                                                             \
  template void drb_head_backward(const U*, const T*, const T*, const U*, const DrbHeadWeights<acc_t<T>>&,            \
                                  const DrbHeadGrads<T>&, const DrbHeadBand<acc_t<T>>&, const DrbHeadShape&, int64_t, \
                                  int64_t, int64_t);
INSTANTIATE(double, double)
INSTANTIATE(float, float)
INSTANTIATE(f16, f16)
INSTANTIATE(f16, float)
INSTANTIATE(bf16, bf16)
INSTANTIATE(bf16, float)

#include "cpu/kernels/end.h"
